"""Maps of one pose as all later stages read them: pairs, carried labels, votes."""
