"""The service with works of a test: `python -m tests.server.serve_jobs`.

A job of the work `test` writes into the data directory that it was begun, and by whom, and goes on
when there is a file `go-{id}` there. POST `/test/jobs/{id}` submits one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app import front, main
from app.console import read_settings
from app.errors import Invalid
from app.jobs import Jobs, Progress
from app.service import Service


class Works:
    """The work of the test, and the way to submit it."""

    def __init__(self, jobs: Jobs, folder: Path) -> None:
        self._jobs = jobs
        self._folder = folder
        jobs.register("test", self._work, at_once=20)

    async def _work(self, args: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        with (self._folder / f"begun-{args['job']}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        progress({"stage": "waiting"})
        go = self._folder / f"go-{args['job']}"
        while not go.exists():  # noqa: ASYNC110 -- another process makes it
            await asyncio.sleep(0.02)
        if args["fail"]:
            raise Invalid("The test says no.", report={"conforms": False})
        return {"pid": os.getpid()}

    async def submit(self, request: Request) -> Response:
        """Submit a job."""
        job, asked = request.path_params["id"], request.query_params
        args = {"job": job, "fail": "fail" in asked}
        begun = await self._jobs.submit("test", args, job=job, owner=asked.get("owner"))
        return JSONResponse({"state": begun.state}, 202)


def serve() -> None:
    """Serve as `lifetec serve` does."""
    settings = read_settings()
    service = Service(settings, serving=True)
    works = Works(service.jobs, settings.data_dir)
    application = main.create_app(settings, service)
    submit = Route("/test/jobs/{id}", works.submit, methods=["POST"])
    application.framework.router.routes.insert(0, submit)
    front.serve(application, settings)


if __name__ == "__main__":
    serve()
