"""Production jobs: jobs, their paths of process steps, and serial numbers moving through them.

Look into ``model`` for what they are, ``layout`` for how they lie in the table, ``jobs``, ``paths``,
``serials`` and ``settings`` for what can be done with them, and ``distribution`` for the counts.
"""
