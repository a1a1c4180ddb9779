"""The commit log: the one place where public data changes; everything readable follows it."""

from app.log.commits import Change, Commit, Draft, Log, MovedOn, Source
from app.log.followers import Follower, catch_up

__all__ = ["Change", "Commit", "Draft", "Follower", "Log", "MovedOn", "Source", "catch_up"]
