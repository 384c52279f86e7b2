"""A plan as SQL that every engine executes, each in its own dialect."""
