"""The names of other libraries, driven by libtrip: a program that uses one of them changes an import, and nothing else.

import trip.compat.pybreaker as pybreaker
"""
