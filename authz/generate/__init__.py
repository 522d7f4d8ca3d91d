"""Generates routes.tsv and schema.tsv in authz/data from Docker's own descriptions of its API.

    python -m stockade.authz.generate --api docker-api-1.55.yaml \\
        --routes docker-routes-28.5.txt docker-routes-29.7.txt [--check]

The sources stay outside the repository: the OpenAPI description of the Engine API (`swagger.yaml`
of moby's api module), and for each engine the routes that its router registers, one a line as
`Get /containers/{name:.*}/json`. They are joined with three tables in data/ that are kept by hand:

operations.tsv
    For each route its operation, what it does with a body, the type of the body, the kind of
    thing that it acts on, and how much may go wrong. A route without a line is an error, and so is
    a line without a route.
query.tsv
    Query keys that handlers read and the description lacks, and those that a handler reads more
    than once (`t*`), with their source.
fields.tsv
    Where the description is not what the engine's Go types decode: widths, fields of older
    engines, spellings. A line that changes nothing is an error.

Exit codes: 0 done, or the same; 1 `--check` found a difference; 2 wrong usage, or a source or
table that cannot be used; nothing in data/ is written then.
"""
