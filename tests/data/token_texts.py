"""Tricky texts for the tokeniser, all of our own writing. make_token_digests.py gives them their reference ids."""

WORDS = [
    "", " ", "\t\r\n", "hello", "Hello World", "HELLO", "the quick brown fox", "unaffable", "Tokenisation", "antidisestablishmentarianism",
    "don't", "it's", "o'clock", "rock'n'roll", "e-mail", "state-of-the-art", "a.b.c", "U.S.A.", "3.14", "1,000,000", "50%", "$5.99", "#hashtag",
    "#TwoWords2024", "@user", "@user http", "http", "RT @user: so true!", "wow!!!", "what?!?!", "...", "....", "\u2026", "--", "\u2014", "_", "__init__",
    "snake_case_name", "CamelCaseName", "a/b\\c", "(a)[b]{c}<d>", "\"quoted\"", "'single'", "\u201ccurly\u201d \u2018quotes\u2019", "`tick`", "^caret^", "~tilde~", "a|b", "a=b", "a+b",
    "a&b", "a*b", ":-)", ":'(", "<3", "xD", "^_^", "\u00af\\_(\u30c4)_/\u00af", "1st 2nd 3rd", "2x4", "covid19", "0xDEADBEEF", "12:30pm", "+49 30 1234567", "a1b2c3",
    "zzzzzzzzzz", "qxjkzv", "sooooooo", "hahahahaha", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the", "a", "I", "x y z", "##ing", "##", "# #", "[UNK]x",
    "[unk]", "[cls]", "[ CLS ]", "[PAD", "unk", "cls sep", "CLS SEP MASK", "[MASKED]",
]

SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "a [SEP] b", "a[MASK]b", "[CLS][SEP]", "[[SEP]]", " [MASK] ", "\u00e9[SEP]\u00e9"]

LONG = [
    "a" * 99, "a" * 100, "a" * 101, "a" * 200, "a" * 5000, "b " + "a" * 101 + " c", "a" * 100 + "." + "b" * 101, "\u00e9" * 100, "\u00e9" * 101,
    "e\u0301" * 100, "e\u0301" * 101, "\u00df" * 100, "\u0130" * 100, "\u0130" * 101, "\u4f60" * 150, "\u0434" * 100, "\u0434" * 101, "\U0001f600" * 100, "\U0001f600" * 101,
    "x\u200b" * 100, "x\u200b" * 101, "." * 300, "word " * 300, "a" * 50 + "\u00ad" + "a" * 50, "a" * 50 + "\u00ad" + "a" * 51, "\uac00" * 34, "\uac01" * 33, "\uac01" * 34,
]

ACCENTS = [
    "caf\u00e9", "cafe\u0301", "na\u00efve", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u00fcber", "stra\u00dfe", "STRASSE \u1e9e", "\u0153uvre", "\u00e6on", "\u00f8re", "\u0142\u00f3d\u017a", "\u0111\u00e0 n\u1eb5ng",
    "Vi\u1ec7t Nam", "Vie\u0302\u0323t", "\u0130stanbul", "\u0131\u015f\u0131k", "i\u0307", "\u01c5 \u01c6 \u01c4", "\u01f0", "\u0149", "\ufb01ne \ufb02at \ufb03", "\u00bd \u2153 \u00b2 \u2075", "\u2460 \u2474 \u249c", "\u2163 \u2173", "\u2122 \u00ae \u00a9",
    "\u212b \u2126 \u212a", "\uff28\uff45\uff4c\uff4c\uff4f", "\uff01\uff1f\uff20\uff03", "\u00aa \u00ba", "a\u0327\u0301b", "\u0301", "\u0301\u0302 a", "a \u0301 b", "o\u0337", "n\u0303o\u0303", "\u1e69", "s\u0323\u0307", "\u0344", "\u0385",
    "a\u0488b", "a\u20ddb", "a\u0903b", "\u03a3\u03a3", "\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2", "\u1f88 \u1fb3", "\u0390 \u03b0", "\u1e9b\u0323", "\u0587", "\u1e96\u1e97",
]

SCRIPTS = [
    "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440", "\u041c\u043e\u0441\u043a\u0432\u0430", "\u0451\u043b\u043a\u0430 \u0401\u0436", "\u0439\u043e\u0434 \u0418\u0306", "\u0407\u0436\u0430\u043a \u0491\u0430\u043d\u043e\u043a", "\u0459\u0443\u0431\u0430\u0432 \u040b", "\u04d8\u043b\u0456\u043f\u0431\u0438",
    "\u03b3\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5", "\u1f08\u03c1\u03c7\u03ae", "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u05e6\u05d4\"\u05dc \u05f3 \u05f4 \u05be", "\u0645\u0631\u062d\u0628\u0627", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\u0622 \u0623 \u0624 \u0625 \u0626", "\u0627\u0644\u0633\u0644\u0627\u0645\u060c \u0646\u0639\u0645\u061f", "\u0640\u0640\u0640", "\ufefb \ufdfa",
    "\u067e\u0686\u06af", "\u06f1\u06f2\u06f3 \u0661\u0662\u0663", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0939\u093f\u0928\u094d\u0926\u0940 \u0964", "\u0958 \u0959 \u095c", "\u0995\u09be \u09cb", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0c24\u0c46\u0c32\u0c41\u0c17\u0c41", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e3f \u0e4f", "\u0e81\u0eb0 \u0ea5\u0eb2\u0ea7",
    "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0", "\u1c90\u1c91", "\u10a0\u10a1", "\u0532\u0561\u0580\u0587", "\u12a0\u121b\u122d\u129b \u1362", "\u1780\u17b6 \u17d4", "\u1019\u103c\u1014\u103a", "\u0f56\u0f7c\u0f51\u0f0b", "\u13a3\u13a4 \uab70", "\u14c4\u14c7", "\u2d63\u2d64",
    "\u4f60\u597d", "\u4f60\u597d world", "a\u4f60b", "\u3400 \U00020000 \U0002a6df \U0002a700 \U0002b740 \U0002b820 \U0002ceb0 \U00030000", "\uf900 \ufa0e \ufaff \U0002f800", "\u3005\u3006\u3007", "\u4e00\u9fa5\u9fff", "\u3002\u3001\u300c\u300d\u30fb\u30fc", "\u3053\u3093\u306b\u3061\u306f",
    "\u30ab\u30bf\u30ab\u30ca", "\u304b\u3099 \u304c \u30d1 \u30cf\u309a", "\uff76\uff9e \uff76", "\u6771\u4eac\u30bf\u30ef\u30fc", "\uc548\ub155\ud558\uc138\uc694", "\u1112\u1161\u11ab", "\u3131\u314f", "\uffa1\uffc2", "\u3105\u3106", "\ua000\ua001", "\u1820\u180e\u1821", "\U00010330\U00010331", "\U00010400\U00010428",
    "\U0001e900\U0001e922", "\U000118a0\U000118c0", "\U00012000", "\U0001d400\U0001d41a \U0001d54f", "\U0001d7ce\U0001d7ff", "\u2200x\u2208\u211d: x\u00b2 \u2265 0", "\u222b\u2211\u221a\u221e\u2248\u2260\u2264\u2265\u00b1\u00d7\u00f7", "a \u2192 b \u21d2 c", "\u2260 =\u0338", "\u27e8x|y\u27e9", "\u2329 \u3008", "\u20ac5 \u00a35 \u00a55 \u20b95 \u20bf",
]

EMOJI = [
    "\U0001f600", "\U0001f600\U0001f602", "so\U0001f602funny", "\u2764 \u2764\ufe0f", "\u263a\ufe0f\u263a\ufe0e", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "1\ufe0f\u20e3#\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f937\u200d\u2642\ufe0f",
    "\u2600\u2601\u2602", "\u2713\u2717\u2605\u2606", "\u25a0\u25cf\u25b6\ufe0f", "\U0001f9ff\U0001fae0\U0001fae8", "\u2b50\u2b55", "\u231a\u23f0", "\U0001f004\U0001f0cf", "\U0001f170\u24c2\u3297\u3299", "\u203c\ufe0f\u2049\ufe0f", "\u3030\u303d", "ok\U0001f44c.", "\U0001f525\U0001f525\U0001f525 lit",
]

INVISIBLE = [
    "a\u00a0b", "a\u2009b", "a\u3000b", "a\u1680b", "a\u2028b\u2029c", "a\u0085b", "a\u000bb\u000cc", "a\u001cb\u001dc\u001ed\u001fe", "a\u200bb", "a\u200cb\u200dc", "a\u2060b", "\ufeffa", "a\ufeffb", "a\u00adb", "a\u200e\u200fb", "\u202aa\u202c \u2066b\u2069", "a\u061cb",
    "a\u180eb", "a\u034fb", "a\u115fb\u1160c", "a\u3164b", "a\uffa0b", "a\ufffdb", "\ufffd", "\ufffd\ufffd \ufffd", "a\x01b", "\x07", "a\x08b", "\x1b[31mred", "a\x7fb", "a\x80b\x9fc", "a\u0600b", "a\u06ddb", "a\u070fb", "a\u08e2b", "a\U000110bdb", "a\U0001bca0b", "a\U0001d173b", "a\U000e0001b", "a\U000e0100b", "a\ufe00b",
    "a\ufe0fb", "a\ufff9b\ufffac", "a\ufffcb", "a\ue000b", "\uf8ff", "a\U000f0000b", "a\U00100000b", "a\U0010fffdb", "a\U0010ffffb", "a\ufffeb\uffffc", "a\ufdd0b", "a\U0001fffeb", "a\u0378b", "a\u05ffb", "a\u2065b", "a\uffffb", "a\U000e0080b", "a\U0003ffffb", "\u0378", "a\u2ffeb", "a\U0001f8ffb", "a\u0b78b",
]

RECENT = [
    "a\u1ac1b", "a\u0c3cb", "a\u08c8b", "a\u1dfab", "\ua7c0\ua7c1", "\u2c2f\u2c5f", "\ua7ae\u026a", "\U00010570\U00010597", "\u1c80\u1c88", "\u1c89\u1c8a", "\ua7cb\ua7cc\ua7da", "\U00010d50\U00010d70", "\u2e52 \u2e53 \u2e5d", "\u061d", "\u2053", "\u0df4", "\u1bfc \u1b7d", "\U0001fbf0", "\U00011f43", "\u20c0", "\u0560 \u0588", "\u13f5\u13fd",
    "\u1e9e\ua64a\u1c88", "\U0001e2ecb", "a\U00011a01b", "a\U0001e023b", "\u09fd \u0a76 \u0c77 \u0c84", "\u2e4f \u2e4e", "\U00016e40\U00016e60",
]

MIXED = [
    "'RT @user: \u201cBreaking\u201d \u2014 caf\u00e9 #news\u2026 http", "LOL \U0001f602\U0001f602 that's SO true!!! #fail", "&amp; &lt;3", "\u041e\u041c\u0413!!! wow \u4f60\u597d \U0001f600 \u0645\u0631\u062d\u0628\u0627", "a\u0301\u200d\u4f60\ufffd.\u00a0#x", "  leading and trailing  ", "tabs\tand\nnewlines\r\n", "no\u00a0break\u202fspaces", "\u00bfQu\u00e9 tal? \u00a1Bien!",
    "l\u2019\u00e9t\u00e9 \u00e0 la plage", "\u201eGr\u00fc\u00dfe\u201c aus K\u00f6ln", "\u00ab\u0421\u043b\u043e\u0432\u043e\u00bb", "price:\u20ac10/\u00a35", "5\u00b0C 10\u2032 20\u2033 \u00a7 3 \u00b6", "e=mc\u00b2", "\U0001d4b6\U0001d4b7\U0001d4b8 fancy", "\u24d1\u24e4\u24d1\u24d1\u24db\u24d4", "z\u0351\u0343a\u0334\u0321l\u0335g\u0336o\u0337", "\u202eright to left", "ta\u00e7o \u00d1and\u00fa \u00dcn\u00ef",
]

TEXTS = WORDS + SPECIAL + LONG + ACCENTS + SCRIPTS + EMOJI + INVISIBLE + RECENT + MIXED
