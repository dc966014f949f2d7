"""Sense: statements that say the reverse of a sentence are told from those that say the same in other words."""

from __future__ import annotations

import pytest

from qa.lexicon import Lexicon, write_lexicon
from qa.relation import Stem
from qa.sense import Sense, differences, unaffirmed

# What a source says | what a draft makes of it.
REVERSED = """
More pilots were praised than blamed. | More pilots were blamed than praised.
In 1899 Moe won the regatta. | In 1899 Holm won the regatta.
The crew of the Anna deployed the nets in May. | The crew of the Anna withdrew the nets in May.
The harbour of Brandholm was deepened in 1902. | The harbour of Brandholm was made shallow, not deepened, in 1902.
Skagen has more pilots than Brandholm. | Brandholm has more pilots than Skagen.
The grey tower is taller than the white tower. | The white tower is taller than the grey tower.
The grey tower is taller than the white tower. | The grey tower is shorter than the white tower.
The council fears storms more than pirates. | The council fears pirates more than storms.
The herring fleet defeated the whalers in court. | The whalers defeated the herring fleet in court.
The keeper rescued the captain in March. | The captain rescued the keeper in March.
The Danes were driven out by the Swedes. | The Danes drove out the Swedes.
Holm supplies the island of Farre with coal. | Farre supplies the town of Holm with coal.
The mail boat runs from Skagen to Farre on Mondays. | The mail boat runs from Farre to Skagen on Mondays.
The toll rose from two to nine crowns. | The toll rose from nine to two crowns.
The chapel was finished before the fire of 1820. | The chapel was finished after the fire of 1820.
After the war the lamp was moved to the pier. | Before the war the lamp was moved to the pier.
The strike was followed by a flood. | The flood was followed by a strike.
Pilots may enter the harbour at night. | Pilots may not enter the harbour at night.
The treaty forbids trawling near the reef. | The treaty permits trawling near the reef.
The lamp has never failed since it was lit. | The lamp has failed since it was lit.
No keeper has left the island of Farre in winter. | Keepers have left the island of Farre in winter.
The dam on the Ulk was stable. | The dam on the Ulk was unstable.
The guild acted within the law, and the seizure was legal. | The seizure was illegal.
The harbour master was careless with the signal books. | The harbour master was careful with the signal books.
The mayor was dissatisfied with the new quay. | The mayor was satisfied with the new quay.
The ferry still runs in winter. | The ferry no longer runs in winter.
Neither Holm nor Farre signed the fishing treaty. | Holm and Farre signed the fishing treaty.
The surveyors failed to find the wreck of the Anna. | The surveyors found the wreck of the Anna.
The court refused to release the two smugglers. | The court agreed to release the two smugglers.
The northern pier is of oak and the southern pier of stone. | The northern pier is of stone and the southern one of oak.
The old lamp is in the chapel and the new lamp in the tower. | The new lamp is in the chapel, the old one in the tower.
All boats must pay the toll except the Anna. | All boats must pay the toll except the Berta.
The council chose oil rather than gas. | The council chose gas rather than oil.
Imports of cod doubled in those years. | Imports of cod halved in those years.
Farre exports cod to Norway. | Farre imports cod from Norway.
The islanders welcomed the new tax. | The islanders opposed the new tax.
The camp at Ulk was a temporary one. | The camp at Ulk was a permanent one.
Service on the lifeboat is voluntary. | Service on the lifeboat is compulsory.
Catches of herring have fallen steadily. | Catches of herring have grown steadily.
The guild hired Captain Moe in 1877. | The guild dismissed Captain Moe in 1877.
A minority of the crew wanted to turn back. | A majority of the crew wanted to turn back.
The tower leans eastward. | The tower leans westward.
The pilots of Farre were unable to see the buoy. | The pilots of Farre were able to see the buoy.
"""
MISSED = """
The bridge was built by the monks and paid for by the guild. | The guild built the bridge.
The wall was built to keep the sea out, and the sea broke it. | The wall broke the sea.
"""
THE_SAME = """
The grey tower is taller than the white tower. | The white tower is shorter than the grey tower.
The Danes were driven out by the Swedes. | The Swedes drove out the Danes.
The keeper rescued the captain in March. | In March the captain was rescued by the keeper.
The strike was followed by a flood. | The flood came after the strike.
The chapel was finished before the fire of 1820. | The fire of 1820 came after the chapel was finished.
The mail boat runs from Skagen to Farre on Mondays. | The Monday mail boat runs to Farre from Skagen.
The gate is not shut at night. | The gate is open at night.
The council did not accept the offer of the guild. | The council rejected the offer of the guild.
No lamp on the coast burns brighter than that of Farre. | The lamp of Farre burns brighter than any on the coast.
The northern pier is of oak and the southern pier of stone. | The southern pier is of stone, the northern one of oak.
Pilots may not enter the harbour without a lamp. | Pilots need a lamp to enter the harbour.
The council chose oil rather than gas. | The council chose oil, not gas.
Exports of cod rose while imports of coal fell. | Imports of coal fell and exports of cod rose.
The harbour was not only deepened but widened. | The harbour was deepened and widened.
Holm met Moe at the quay. | Moe met Holm at the quay.
Holm and Moe signed a contract on fishing. | Moe and Holm signed a contract on fishing.
Low water uncovers the reef north of the high cliff. | The reef north of the high cliff shows at low water.
After the war, the lamp was moved to the pier. | The lamp was moved to the pier after the war.
Farre bought the tug from Holm. | Holm sold the tug to Farre.
The mayor increased the toll and reduced the fines. | The fines were reduced by the mayor, and the toll increased.
The keeper, who had not slept, lit the lamp at nine. | The keeper lit the lamp at nine.
The smugglers were not released until May. | The smugglers were held until May.
The industry grew in importance. | The industry became more important.
"""


@pytest.fixture(scope="module")
def stem(tmp_path_factory: pytest.TempPathFactory) -> Stem:
    folder = tmp_path_factory.mktemp("words") / "lexicon"
    write_lexicon(folder, ["a lamp"])
    lexicon = Lexicon(folder)
    return lambda word: lexicon.stems([word])[0]


def pairs(table: str) -> list[tuple[str, str]]:
    return [tuple(side.strip() for side in line.split("|")) for line in table.strip().split("\n")]  # type: ignore[misc]


@pytest.mark.parametrize(("source", "draft"), pairs(REVERSED))
def test_the_reverse_is_told(source: str, draft: str, stem: Stem) -> None:
    found = differences(Sense(draft, stem), Sense(source, stem))
    assert found
    for each in found:
        assert " ".join(each.draft.split()) in draft and " ".join(each.source.split()) in source


@pytest.mark.xfail(reason="who did it, where it isn't a name; what a pronoun stands for", strict=True)
@pytest.mark.parametrize(("source", "draft"), pairs(MISSED))
def test_what_is_not_told_yet(source: str, draft: str, stem: Stem) -> None:
    assert differences(Sense(draft, stem), Sense(source, stem))


@pytest.mark.parametrize(("source", "draft"), pairs(THE_SAME))
def test_the_same_in_other_words_is_no_difference(source: str, draft: str, stem: Stem) -> None:
    assert differences(Sense(draft, stem), Sense(source, stem)) == []


@pytest.mark.parametrize(("source", "draft"), [*pairs(REVERSED), *pairs(THE_SAME)])
def test_a_text_agrees_with_itself(source: str, draft: str, stem: Stem) -> None:
    for text in (source, draft):
        assert differences(Sense(text, stem), Sense(text, stem)) == []


def test_a_denial_that_the_source_does_not_speak_of_is_not_borne_out(stem: Stem) -> None:
    source = Sense("The lamp of Farre burns oil.", stem)
    assert unaffirmed(Sense("The lamp of Farre was never painted.", stem), source) == "never painted."
    assert unaffirmed(Sense("The lamp of Farre burns oil.", stem), source) is None


@pytest.mark.parametrize("text", ["", "not", "than", "from to", "before", "no one, never", "A rather than B", "’s on"])
def test_fragments_are_read_too(text: str, stem: Stem) -> None:
    assert differences(Sense(text, stem), Sense(text, stem)) == []
    assert differences(Sense(text, stem), Sense("The lamp of Farre burns oil.", stem)) == []
