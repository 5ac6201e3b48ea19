"""What the connector is compared with: two other ways to the same rows, each written as well as we can.

They run in an environment of their own (the dependency group `bench`), as programs: `python -m bench.peers.serial WORK FOLDER`
and `python -m bench.peers.dlt_rest_api WORK FOLDER`. WORK is JSON: an organization, its projects, what to read, and whether
the server has limits. They take the server's address and the token from the environment, leave what they read in FOLDER, and
print `{"rows": …}`.
"""
