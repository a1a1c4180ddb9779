"""The script `lifetec`.

Worker processes import the main module of the process that starts them, so this one imports
nothing before it is called.
"""


def main() -> None:
    """Run the command line."""
    from app.cli import cli  # noqa: PLC0415

    cli()


if __name__ == "__main__":
    main()
