"""Maps whose iterations are part of the execution."""

import datetime

from ..timestamps import ClockDatetime
from ..workers import Worker

#: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
MOST_AT_ONCE = 40


def install():
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
        InlineIterationComponent,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import IterationWorker

    InlineIterationComponent._eval_body = _evaluate
    IterationWorker.eval = _work_off


def _evaluate(self, env):
    """At most 40 iterations run at once, and when one fails the others are aborted before the Map goes on. moto starts
    as many threads as MaxConcurrency says, however few the items are, and leaves the others running."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobPool

    eval_input = env.stack.pop()
    pool = JobPool(job_program=self._get_iteration_program(), job_inputs=eval_input.input_items)
    _leave_out_what_is_done(pool, env.progress)
    items = len(pool._open_jobs)
    count = min(items, eval_input.max_concurrency or MOST_AT_ONCE, MOST_AT_ONCE)
    iterations = [self._create_worker(env=env, eval_input=eval_input, job_pool=pool) for _ in range(count)]
    workers = [Worker(target=iteration.eval) for iteration in iterations]
    for worker in workers:
        worker.start()
    pool.await_jobs()
    if pool.get_worker_exception() is not None:
        for frame in list(env._frames):
            frame.set_stop(stop_date=ClockDatetime.now(datetime.UTC), error=None, cause=None)
    for worker in workers:
        worker.join()
    if pool.get_worker_exception() is not None:
        raise pool.get_worker_exception()
    env.stack.append([job.job_output for job in pool.get_closed_jobs()])


def _leave_out_what_is_done(pool, progress):
    """A Map that is redriven runs only the iterations that have not succeeded."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import JobClosed

    for job in list(pool._open_jobs):
        if part := progress.part_that_is_done(job.job_program, job.job_index):
            pool._open_jobs.remove(job)
            pool._closed_jobs.add(JobClosed(job_index=job.job_index, job_output=part.output))


def _work_off(self):
    """One iteration after the other. moto's worker calls itself for the next, until Python's stack is full."""
    frame = self._env.open_frame()
    job = self._job_pool.next_job()
    while job is not None:
        job_frame = frame.open_inner_frame()
        self._eval_job(env=job_frame, job=job)
        frame.close_frame(job_frame)
        failed = isinstance(job.job_output, Exception)
        following = None if failed else self._job_pool.next_job()
        if following is None:
            if not failed:
                # What comes after the Map follows its last iteration.
                frame.event_history_context.source_event_id = job_frame.event_history_context.last_published_event_id
            # The frame is closed before the job, since the Map goes on when the last job is closed.
            self._env.close_frame(frame)
        self._job_pool.close_job(job)
        job = following
    self._env.close_frame(frame)
