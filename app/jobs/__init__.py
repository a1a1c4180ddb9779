"""Work that outlives a request: kept in a database, begun again after a crash, repeated by cron."""

from app.jobs.executor import executor_of
from app.jobs.job import Job, State
from app.jobs.runner import Jobs, Progress, Work

__all__ = ["Job", "Jobs", "Progress", "State", "Work", "executor_of"]
