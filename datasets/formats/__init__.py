"""How data is laid out: each format understands a tree of files, without the ORM."""
