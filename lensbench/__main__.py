"""`python -m lensbench`."""

from lensbench.cli import main

main()
