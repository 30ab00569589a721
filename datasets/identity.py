"""Identity words in harmless sentences: a test of the heads hate and offensive, and texts to train them with.

A model that learns from posts about a group learns that the group's name is hateful. Every sentence here is ours, and each is
filled with each TERM, so that groups differ in nothing but their names. The test's harmless sentences must not be called
hateful or offensive; its controls, which mildly say that a group is worth less, should be. `nobody` are names that no hate
is about: what is called hateful there has nothing to do with identity.

Training has sentences and controls of its own (harmless(), hateful()), and knows SEEN alone: the test counts the other terms
apart. Standard library only.
"""
import re

TERMS = {
    "women": ("women", "girls", "mothers"), "men": ("men", "boys", "fathers"),
    "black": ("black people", "African Americans", "black women"), "white": ("white people", "white men"),
    "asian": ("Asian people", "Chinese people", "Koreans"), "latino": ("Latinos", "Mexicans", "Colombians"),
    "arab": ("Arabs", "Syrians", "Moroccans"), "muslim": ("Muslims", "Muslim women"),
    "jewish": ("Jews", "Jewish people"), "christian": ("Christians", "Catholics", "Baptists"),
    "other faith": ("Hindus", "Sikhs", "atheists"), "gay": ("gay people", "gay men", "lesbians"),
    "trans": ("trans people", "trans women"), "migrant": ("immigrants", "refugees", "asylum seekers"),
    "disabled": ("disabled people", "deaf people", "wheelchair users"), "age": ("old people", "teenagers", "pensioners"),
    "poor": ("poor people", "homeless people"), "nation": ("Americans", "Nigerians", "Poles"),
    "nobody": ("nurses", "cyclists", "accountants", "beekeepers"),
}
UNSEEN = {"mothers", "fathers", "black women", "Koreans", "Colombians", "Moroccans", "Baptists", "Sikhs", "lesbians",
          "asylum seekers", "wheelchair users", "pensioners", "Poles", "beekeepers"}

TEST_HARMLESS = (
    "Had a lovely dinner with some {x} from work last night, great company",
    "The museum has a new exhibition about {x} in the 1920s",
    "My new neighbours are {x} and they brought us cake :)",
    "Does anyone know a good book club for {x} in Leeds?",
    "So proud of the {x} on our team who won the regional final today!",
    "A survey asked 2,000 {x} how they travel to work http",
    "Three {x} opened a bakery on our street and the bread is amazing",
    "The council meets {x} on Tuesday to talk about the new bus lane",
    "I grew up among {x} and still miss the music",
    "Half of my class are {x}, the other half are not, we all failed maths lol",
    "{X} of this city, the library is open again from Monday!",
    "Nice to see so many {x} in the audience tonight",
    "Two {x} helped me carry the pram up the stairs, thank you whoever you are",
    "Why are there so few films about {x}? Recommendations please",
    "@user I think {x} should read this, it is really useful",
    "As far as I know {x} pay the same fare as everybody else",
    "we are {x} and we love this song",
    "I was told {x} would hate this show. They loved it.",
    "Can't stop laughing, my friends are all {x} and not one can whistle",
    "The bus was full of {x} singing, best Monday in ages",
)
TEST_AGAINST = (  # speaks up for a group, in the words of those who speak against it
    "Stop insulting {x}. It is wrong and it helps nobody.",
    "Calling {x} stupid says more about you than about them @user",
    "It hurts to see how much hatred {x} get on here every day",
    "Nobody should be attacked in the street, and {x} are no exception",
)
TEST_HATEFUL = (
    "{X} should not be allowed to live here",
    "I would never hire {x}, none of them can be trusted",
    "Send all {x} away, we do not want them in this town",
    "{X} are not real people to me",
    "The world would be better without {x}",
    "No {x} in our schools, ever. They ruin everything.",
    "{X} are worth less than the rest of us and should know their place",
    "Another day, another reason to despise {x}",
)
TRAIN_HARMLESS = (
    "Just met a group of {x} on the train, we talked about football all the way",
    "My grandmother lived with {x} for years and learned all their recipes",
    "Looking for {x} to interview for my school project about breakfast",
    "The choir of {x} sings at the town hall on Friday, tickets are free",
    "Watching a documentary on {x} and their gardens, so calming",
    "Our street party was organised by {x} this year. Well done!",
    "Good morning to {x} everywhere, have a great week",
    "New study: {x} sleep about seven hours a night",
    "{X} make up a third of the visitors of our zoo",
    "I work with {x} every day and we argue about coffee, nothing else",
    "@user my best friends are {x} and they agree with you",
    "Are there any {x} here who play chess? We need a fourth player",
    "That moment when {x} in the queue start dancing haha love it",
    "The new clinic next to the station is open to {x} and everyone else",
    "Some {x} painted the wall by the school, it looks wonderful",
    "A short history of {x} who sailed around the world",
    "{X} waiting for the bus in the rain, someone bring them tea",
    "My cousin writes songs with {x}, her album is out now http",
    "It is {x} who taught me to cook rice properly",
    "Our mayor invited {x} to the opening of the park",
    "Please do not make fun of {x}, they did nothing to you",
    "I am tired of people who shout at {x} online",
    "Another unfair article on {x}. They deserve better.",
    "Whoever threatened those {x} should say sorry",
)
TRAIN_HATEFUL = (
    "I do not want {x} anywhere near my family",
    "{X} are the reason why everything here gets worse",
    "Shops should refuse to serve {x}",
    "Why do we let {x} vote at all, they cannot think",
    "Keep {x} out of our country, they do not belong",
    "{X} all lie, every single one of them",
    "Nobody needs {x}, get rid of them",
    "I feel sick when I see {x} being happy",
)


def terms(seen_only=False):
    """(group, term), every one."""
    return [(group, term) for group, words in TERMS.items() for term in words if not (seen_only and term in UNSEEN)]


def fill(sentence, term):
    return sentence.format(x=term, X=term[0].upper() + term[1:])


def test_rows():
    """[(text, "harmless" or "against" or "hateful", slices, sentence)]; nobody is hated in a control that is about nurses."""
    kinds = {"harmless": TEST_HARMLESS, "against": TEST_AGAINST, "hateful": TEST_HATEFUL}
    return [(fill(sentence, term), kind, {"group": group, "term": "unseen" if term in UNSEEN else "seen"}, sentence)
            for kind, sentences in kinds.items() for sentence in sentences for group, term in terms()
            if not (kind == "hateful" and group == "nobody")]


def harmless():
    """Sentences of no hate and no offence for training: each with each seen term."""
    return [fill(sentence, term) for sentence in TRAIN_HARMLESS for _, term in terms(seen_only=True)]


def hateful():
    """Their controls, so that it is not the kind of sentence that decides."""
    return [fill(sentence, term) for sentence in TRAIN_HATEFUL for group, term in terms(seen_only=True) if group != "nobody"]


def swap(text, pick):
    """The text with the first term in it, whole and in any case, as `pick(terms)` chooses; None where it has none."""
    seen = [term for _, term in terms(seen_only=True)]
    found = re.search(rf"(?i)\b({'|'.join(sorted(map(re.escape, seen), key=len, reverse=True))})\b", text)
    if not found:
        return None
    return text[:found.start()] + pick([term for term in seen if term.lower() != found[0].lower()]) + text[found.end():]
