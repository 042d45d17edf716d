"""The list of scenarios. Each is a function of a stage (stage.py) whose name is the scenario's."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    play: object
    planned: bool   # no event may be sent twice
    brokers: bool   # does something to brokers, which concerns every scenario: played alone
    judged: bool    # False: it judges by itself


SCENARIOS = []


def scenario(planned=False, brokers=False, judged=True):
    def register(play):
        SCENARIOS.append(Scenario(play.__name__, play, planned, brokers, judged))
        return play
    return register
