"""Who is at the screen: web sessions, one-time links, and what a page may show to whom."""
