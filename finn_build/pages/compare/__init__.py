"""Compare builds, boards, CPUs and what was published: one table, one page."""
