"""What `audit` finds out: whether all that local files hold is at the destination, byte for byte.

It asks the aggregator what is committed, and reads the files again. Nothing is made, written or locked.
"""
