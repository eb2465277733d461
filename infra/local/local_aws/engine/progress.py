"""How far an execution has come, so that it can be redriven from there.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from ..whereabouts import of_environment
from .striking import entering


def install():
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
    from moto.stepfunctions.parser.asl.eval.environment import Environment
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    Environment.__init__ = _from_the_beginning(Environment.__init__)
    Environment.as_inner_frame_of = classmethod(_shared(Environment.as_inner_frame_of.__func__))
    CommonStateField._eval_body = _noted(CommonStateField._eval_body)
    EventManager.add_event = _entered_once(EventManager.add_event)


class Progress:
    """Of an execution, of a branch or of an iteration: the state that it is in, and with what it entered it."""

    def __init__(self):
        self.state, self.input, self.variables = None, None, {}
        self.is_entered, self.is_resuming = False, False
        self.is_done, self.output = False, None
        self.forget_parts()

    def forget_parts(self):
        """What is within its state, a Map or a Parallel, begins anew."""
        self._parts, self.map_run = {}, None

    def part(self, program, env):
        """Of a branch or an iteration within its state. States have unique names, so that the first one will do."""
        item = env.states.context_object.context_object_data.get("Map") or {}
        key = (program.start_at.start_at_name, item.get("Item", {}).get("Index"))
        return self._parts.setdefault(key, Progress())

    def part_that_is_done(self, program, index):
        part = self._parts.get((program.start_at.start_at_name, index))
        return part if part and part.is_done else None

    def at(self, env, state, is_entered):
        self.state, self.is_entered = state, is_entered
        self.input = env.states._states_data["input"]  # is replaced and never changed, as are the variables
        self.variables = dict(env.variable_store._inner_scope)
        self.forget_parts()

    def resume(self, env):
        """Puts an environment where this has come to; the name of the state, if it had begun at all."""
        if self.state:
            self.is_resuming = True
            env.states.reset(input_value=self.input)
            env.variable_store._inner_scope.update(self.variables)
        return self.state


def begin(env, program):
    """Where a program begins in its environment: at a state, or at no state if it is already done."""
    if env.is_frame():
        env.progress = env.progress.part(program, env)
    if env.progress.is_done:
        env.states.reset(input_value=env.progress.output)
        return None
    return env.progress.resume(env) or program.start_at.start_at_name


def end(env):
    """A part that is done is not run again, whatever becomes of the others."""
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded

    if isinstance(env.program_state(), ProgramEnded):
        env.progress.is_done, env.progress.output = True, env.states.get_input()


def go_on(env, fresh, execution):
    """The fresh environment, with the history, the progress and the tokens of the one that has ended."""
    fresh.event_manager, fresh.progress = env.event_manager, env.progress
    fresh.event_manager.owner = fresh
    fresh.callback_pool_manager = env.callback_pool_manager
    fresh.map_run_record_pool_manager = env.map_run_record_pool_manager
    about = fresh.states.context_object.context_object_data["Execution"]
    about |= {"RedriveCount": execution.redrive_count, "RedriveTime": execution.redrive_date.isoformat()}
    context = fresh.event_history_context
    context.source_event_id = context.last_published_event_id = len(env.event_manager._history_event_list)
    fresh.event_manager.add_event(
        context=context,
        event_type="ExecutionRedriven",
        event_details={"executionRedrivenEventDetails": {"redriveCount": execution.redrive_count}},
    )
    return fresh


def _from_the_beginning(initialise):
    def initialised(self, *arguments, **named):
        initialise(self, *arguments, **named)
        self.progress = Progress()

    return initialised


def _shared(as_inner_frame_of):
    """A frame is in the same state, until a program begins in it, and in the same items."""

    def made(cls, env, *arguments, **named):
        frame = as_inner_frame_of(cls, env, *arguments, **named)
        frame.progress, frame.outer = env.progress, of_environment(None, env)
        return frame

    return made


def _noted(evaluate):
    def evaluated(self, env):
        progress = env.progress
        if progress.is_resuming:
            env.event_history_context.has_entered, progress.is_resuming = progress.is_entered, False
            progress.is_entered = True
        else:
            progress.at(env, self.name, is_entered=True)
        entering(env, self.name)
        if env.is_running():
            evaluate(self, env)
        if env.is_running():
            progress.at(env, env.next_state_name, is_entered=False)

    return evaluated


def _entered_once(add_event):
    """A state that is redriven has been entered before, and the history does not show it again."""

    def added(self, context, event_type, *arguments, **named):
        if event_type.endswith("StateEntered") and vars(context).pop("has_entered", False):
            return context.source_event_id
        return add_event(self, context, event_type, *arguments, **named)

    return added
