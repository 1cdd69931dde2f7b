"""Do the rows that an explanation names do what it says?"""
