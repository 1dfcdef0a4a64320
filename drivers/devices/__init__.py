"""Device types, one declaration a file; `drivers.registry` lists them."""
