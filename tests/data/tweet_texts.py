"""64 tweet-like sentences of our own writing, for end-to-end goldens."""

TEXTS = [
    "", "ok", "I love this little bird so much \U0001f60d", "Worst train ride of my life. Two hours late and no heating.",
    "The meeting moved to 3 pm on Thursday.", "So happy for you, congratulations!!! \U0001f389", "I can't stop crying since the vet called.",
    "Great, another Monday. Exactly what I needed.", "@anna thanks for the help today, you saved me!", "RT @weather_desk: Heavy rain expected in the north https://example.org/rain",
    "Never give up: every small step counts.", "This soup is cold, the waiter is rude and I am furious.", "Oh sure, because waiting in line is my favourite hobby \U0001f644",
    "New paper on wading birds is out: https://example.org/paper?id=7&amp;lang=en", "You are an idiot and everybody knows it.", "What a goal!!! What a match!!!",
    "Missing my grandmother a lot tonight.", "Tomorrow will be better, I am sure of it.", "They should all be sent back where they came from.", "Just finished a 10k in 52 minutes \U0001f3c3\u200d\u2640\ufe0f #running",
    "The update broke everything again. Nice work, @support...", "Coffee first, then the world.", "I'm scared of what the results will say", "lol that cat \U0001f602\U0001f602\U0001f602",
    "Shut up, you stupid liar!", "Our library opens at nine and closes at six.", "Nothing says romance like a broken dishwasher.", "Thank you all for the kind messages, it means the world to me \u2764\ufe0f",
    "Election results are expected around midnight.", "I hate mosquitoes &lt;/3", "Believe in yourself and keep going #motivation", "Who ate my sandwich? WHO?",
    "The sunset over the mudflats tonight was beautiful.", "Women like her belong in the kitchen.", "My phone died, my bus left and it is raining. Perfect day!", "Sending hugs to everyone in the flooded towns.",
    "#breaking fire near the old harbour, nobody hurt", "I am so done with this game, total garbage.", "Proud of my sister, first in our family to graduate!", "Is anybody else awake at 4am?",
    "It's fine. Everything is fine. \U0001f525", "These politicians are all clowns", "Finally found the courage to apply for the job.", "The film was okay, a bit long maybe.",
    "Get well soon @tom_87, we need you back on the team!", "Alone again on a Saturday night.", "Wow, a meeting about meetings. Groundbreaking.", "Free tickets for the first ten replies: http://example.org/t and @venue",
    "caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u2014 accents should not matter", "Heute ist ein sch\u00f6ner Tag am Watt.", "\u0421\u0435\u0433\u043e\u0434\u043d\u044f \u0445\u043e\u0440\u043e\u0448\u0430\u044f \u043f\u043e\u0433\u043e\u0434\u0430", "\u4eca\u5929\u5929\u6c23\u5f88\u597d", "Qu\u00e9 alegr\u00eda verte otra vez, amiga", "\u0627\u0644\u0637\u0642\u0633 \u062c\u0645\u064a\u0644 \u0627\u0644\u064a\u0648\u0645",
    "HELP!!! WE NEED WATER AND BLANKETS AT THE SCHOOL NOW", "a", "!!!", "\U0001f626", "@user http", "\ufffd\ufffd half a message \ufffd", "&amp;amp; nested &amp;lt;b&amp;gt;",
    "so " * 200 + "tired", "supercalifragilisticexpialidocious" * 4, "Dunlins turned over the sandbank like one thought, ten thousand of them, and not one touched another.",
]
