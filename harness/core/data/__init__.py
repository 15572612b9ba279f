"""Text for token streams: `english.txt`, chapters of the King James Version of 1611, whose copyright has expired.

Taken from Debian's package bible-kjv-text; verse numbers dropped, one paragraph per chapter.
"""
