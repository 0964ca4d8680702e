"""Several hosts on one machine: network namespaces with a database, a Redis and S3 between them."""
