"""What an insurer lays over the map: territories and accidents. Without them a trip has no totals of theirs."""

from dataclasses import dataclass

from scoring.accidents import AccidentDensity, accident_totals
from scoring.driven import Driven
from scoring.territory import Territories, territory_totals
from scoring.trips import Trip


@dataclass(frozen=True, slots=True)
class Layers:
    """None: not laid over. `accidents` must have been made for the road map that trips are matched on."""

    territories: Territories | None = None
    accidents: AccidentDensity | None = None

    def totals(self, trip: Trip, driven: Driven) -> dict[str, int]:
        """The additive counters of a trip by these layers: numbers under names, never a coordinate."""
        by_territory = territory_totals(trip, self.territories) if self.territories else {}
        return by_territory | (accident_totals(trip, driven, self.accidents) if self.accidents else {})

    @property
    def versions(self) -> dict[str, str | None]:
        """The content hashes that each trip carries."""
        return {
            "territories": self.territories.version if self.territories else None,
            "accidents": self.accidents.version if self.accidents else None,
        }


NO_LAYERS = Layers()
