"""What people read: a build's report, the comparison, the tables of results."""
