"""What is read from the database: definitions, membership, stored facts of one unit."""
