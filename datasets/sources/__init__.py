"""Where data comes from: each source yields plain records, without the ORM."""
