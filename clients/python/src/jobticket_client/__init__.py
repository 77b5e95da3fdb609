"""Client of the Jobticket API.

>>> from jobticket_client import Jobticket
>>> client = Jobticket("http://127.0.0.1:8000", "local-key")
>>> for job in client.jobs.list():
...     print(job["name"])

Answers are the API's own JSON objects, typed as TypedDicts. What a later version adds is simply there.
Errors are drawn as a tree in :mod:`jobticket_client.errors`.
"""

from jobticket_client import errors as errors
from jobticket_client.client import Jobticket as Jobticket
