"""How things look and read: words in two languages, moments, icons, priorities, templates."""
