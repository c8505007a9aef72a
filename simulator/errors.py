"""What can go wrong in the simulator: one base, each error a noun with its facts."""

from dataclasses import dataclass


class SimulatorError(Exception):
    """Base of every error of the simulator."""


@dataclass(eq=False)
class TooFewRoads(SimulatorError):
    """The largest part of the network in which every node reaches every other is too small to drive in."""

    nodes: int
    needed: int

    def __str__(self) -> str:
        return (
            f"only {self.nodes} nodes of the road map reach each other by legal driving and {self.needed} are needed: "
            "choose a larger road extract"
        )


@dataclass(eq=False)
class NoDriveFound(SimulatorError):
    """No route on the network could be driven between two nodes."""

    from_node: int
    to_node: int

    def __str__(self) -> str:
        return f"no legal drive from node {self.from_node} to node {self.to_node}"


@dataclass(eq=False)
class UploadRefused(SimulatorError):
    """The gateway refused a batch for good: sending it again cannot help."""

    status: int
    answer: str

    def __str__(self) -> str:
        return f"the gateway refused a batch with {self.status}: {self.answer}"


@dataclass(eq=False)
class GatewayUnavailable(SimulatorError):
    """The gateway could not take a batch at any of the attempts; nothing of that batch was acknowledged."""

    url: str
    attempts: int
    last: str

    def __str__(self) -> str:
        return f"the gateway at {self.url} took nothing in {self.attempts} attempts ({self.last}): start it, send again"
