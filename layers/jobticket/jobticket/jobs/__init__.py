"""Production jobs: jobs, their paths of process steps, and serial numbers moving through them.

``model`` tells what they are, ``layout`` how they lie in the table, ``distribution`` how they are counted.
``jobs``, ``paths``, ``serials``, ``moves`` and ``settings`` read and change them.

A function that is given the id of something that does not exist raises ``NotFoundError``. One that adds to a
unit of work raises it also when the unit commits.
"""
