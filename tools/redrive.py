"""Send dead letters again: ``python -m tools.redrive <dead letters' URL> <queue's URL>``.

It works for every queue of work. ``POST /api/operations/redrive`` does the same, and so do AWS's console and
``aws sqs start-message-move-task`` in an account. A message may be sent twice, which workers tolerate.
"""

from __future__ import annotations

import sys

import boto3

from jobticket.queues import redrive


def main(arguments: list[str]) -> int:
    """Redrive, and print how many messages moved."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    dead_letters, queue = arguments
    moved = redrive(boto3.client("sqs"), dead_letters, queue)
    print(f"{moved} message{'' if moved == 1 else 's'} sent again")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
