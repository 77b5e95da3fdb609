"""What happened: who did what, when, and how many serial numbers went where on each day.

=====================  =========================  ============================================================
pk                     sk                         item
=====================  =========================  ============================================================
SERIAL#<id>            <step index left>          a move of a serial number: none leaves a step twice
JOB#<job>              <moment>#<mark>            a change of a job or its paths, a push, a comment
SETTINGS               <moment>#<mark>            a change of the settings
CONNECTION#<name>      <moment>#<mark>            a change of a connection
ANOMALY#<id>           <moment>#<mark>            a change of an anomaly
FLOW#<path>            <day>#<shard>              what one shard of a path's counts did on a day
=====================  =========================  ============================================================

Each item commits in the transaction of the change that it records. Records are only ever added.
"""
