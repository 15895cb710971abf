"""The choice of a setting of each method on development items, so that the numbers of a run are of items that chose nothing.

Imports what `numbers` imports. `numbers.summarise` calls it; views read `Picked` from the results.
"""
