"""Lost deals as sellers tell of them, with the reason that the tests' classifier reads in each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

from tests.serving.crm.worlds import SeenDeal

_numbers = count(1)


@dataclass(frozen=True)
class Story:
    """A deal and the reason told of it, None where its note is too thin for one."""

    deal: SeenDeal
    reason: str | None

    def anew(self) -> SeenDeal:
        """Gives the same told of another deal."""
        return replace(self.deal, name=f"{self.deal.name}, again {next(_numbers)}")


STORIES = (
    Story(SeenDeal("Nordwind fleet", note="Lost on price. Their CFO had a ceiling and we were above it."), "price"),
    Story(SeenDeal("Halden depots", notes=["Champion liked it.", "In the end the price was 20% too high."]), "price"),
    Story(SeenDeal("Ostwall cold store", calls=["They kept coming back to the price per seat."]), "price"),
    Story(SeenDeal("Quarrymen", mails=["Thank you, but at this price we cannot go on with you."]), "price"),
    Story(SeenDeal("Brisk Foods", note="Price, price, price.", calls=["No word on anything else."]), "price"),
    Story(SeenDeal("Lumen Care", note="They compared the price with doing nothing, perhaps next year."), "price"),
    Story(SeenDeal("Averley", note="Budget was frozen in October for the whole group."), "budget"),
    Story(SeenDeal("Kestrel Rail", notes=["The budget went into the new depot instead of into us."]), "budget"),
    Story(SeenDeal("Sorrel & Sons", calls=["Buyer: there is no budget left this year.", "Seller: I see."]), "budget"),
    Story(SeenDeal("Tallow Works", mails=["Our budget holder has left; her successor starts from zero."]), "budget"),
    Story(SeenDeal("Morrow Labs", note="Nobody owned a budget.", notes=["Met four people in six weeks."]), "budget"),
    Story(SeenDeal("Fennick", note="Perhaps again when the budget is set in spring."), "budget"),
    Story(SeenDeal("Ilex Insurance", note="Legal wanted unlimited liability; ours said no."), "procurement_legal"),
    Story(SeenDeal("Cobalt Mills", notes=["Stuck in legal for eleven weeks, then it died."]), "procurement_legal"),
    Story(SeenDeal("Dunmore", calls=["Their legal team would not sign our data terms."]), "procurement_legal"),
    Story(SeenDeal("Petrel Bank", mails=["After review by legal we must decline the contract."]), "procurement_legal"),
    Story(SeenDeal("Waverly", note="Procurement and legal asked for a new round of tenders."), "procurement_legal"),
    Story(SeenDeal("Hearth Homes", note="Legal is short of people, perhaps they look again."), "procurement_legal"),
    Story(SeenDeal("Gantry Ports", note="Timing: their merger closes first."), "timing"),
    Story(SeenDeal("Mistral Air", notes=["Good fit, bad timing.", "They move offices until June."]), "timing"),
    Story(SeenDeal("Sable Press", calls=["It is all about timing for us, we cannot run two roll-outs."]), "timing"),
    Story(SeenDeal("Orrin Steel", mails=["The timing does not work with our audit."]), "timing"),
    Story(SeenDeal("Bramley", note="Wrong timing <b>again</b> & again; their new head starts in May."), "timing"),
    Story(SeenDeal("Tidewater", note="Perhaps the timing suits them after the summer."), "timing"),
    Story(SeenDeal("Juniper Taxi", note="Rostera offered them a pilot for nothing and they took it."), "competitor"),
    Story(SeenDeal("Calder Hotels", notes=["Went with Rostera because it speaks to their payroll."]), "competitor"),
    Story(SeenDeal("Wren Clinics", calls=["We chose Rostera; our sister company has it already."]), "competitor"),
    Story(SeenDeal("Steep Hill", mails=["We have signed with Rostera — „danke“ for your time."]), "competitor"),
    Story(SeenDeal("Larkspur", note="Rostera kept them; the incumbent matched our offer."), "competitor"),
    Story(SeenDeal("Pinfold", note="Price, mostly."), None),
)


def story_of(reason: str) -> Story:
    """Gives the first story with this reason."""
    return next(story for story in STORIES if story.reason == reason)
