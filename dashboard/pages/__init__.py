"""One file a page: its routes, what it reads, what it hands to its template."""
