/* BPE and unigram: the reference's ids for tricky texts, damaged and unsupported files, limits. */
#include "base/memory.h"
#include "io/json.h"
#include "test.h"
#include "text/tokeniser.h"
#include "text/vocabulary.h"

#include <sys/stat.h>
#include <unistd.h>

#define MODELS "tests/data/tokenisers/"

enum { MAX_IDS = 1 << 16 };

static const struct {
    const char *name, *kind;
} models[] = {
    {"bpe", "bpe"},
    {"bpe_files", "bpe"},
    {"unigram", "unigram"},
    {"unigram_spm", "unigram"},
    {"unigram_older", "unigram"},
};
enum { N_MODELS = sizeof models / sizeof *models };

static dn_tokeniser *open_model(const char *name) {
    char *dir = dn_format(MODELS "%s", name);
    dn_tokeniser *tokeniser = NULL;
    if (dn_tokeniser_open(dir, &tokeniser) != DN_OK) {
        fprintf(stderr, "%s\n", dn_failure_last()->text);
    }
    free(dir);
    return tokeniser;
}

static bool equal_ids(const dn_json_at *want, const int32_t *got, int32_t n) {
    bool equal = dn_json_count(want) == (size_t)n;
    for (int32_t i = 0; equal && i < n; i++) {
        dn_json_at item = dn_json_item(want, (size_t)i);
        int64_t id = -1;
        equal = dn_json_int(&item, 0, INT32_MAX, &id) == DN_OK && id == got[i];
    }
    return equal;
}

/* A line {"text": ..., "ids": [...]}: as it is, from the cache, and cut at every length. */
static void check_case(const dn_tokeniser *t, dn_token_cache *cache, dn_span line) {
    static int32_t ids[MAX_IDS], part[MAX_IDS];
    dn_json *doc;
    dn_json_at text, want;
    const char *bytes = NULL;
    REQUIRE(dn_json_parse(line, "cases", DN_E_DATA, &doc) == DN_OK);
    dn_json_at root = dn_json_root(doc);
    EXPECT(dn_json_need(&root, "text", DN_JSON_TEXT, &text) == DN_OK);
    EXPECT(dn_json_need(&root, "ids", DN_JSON_ARRAY, &want) == DN_OK);
    EXPECT(dn_json_text(&text, &bytes) == DN_OK);
    int32_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        n = dn_tokeniser_encode(t, cache, dn_span_of(bytes), MAX_IDS, ids);
        if (!equal_ids(&want, ids, n)) {
            fprintf(stderr, "pass %d: %.*s\n", pass, (int)line.len, line.ptr);
            EXPECT(!"the reference's ids");
        }
    }
    EXPECT(n <= dn_tokeniser_room(t, strlen(bytes)));
    for (int32_t most = 2; most < n && most < 40; most++) {
        EXPECT_INT(dn_tokeniser_encode(t, cache, dn_span_of(bytes), most, part), most);
        EXPECT(memcmp(part, ids, (size_t)(most - 1) * sizeof *part) == 0);
        EXPECT_INT(part[most - 1], ids[n - 1]);
    }
    dn_json_free(doc);
}

CASE(tokenisers_give_the_ids_of_the_reference) {
    for (int k = 0; k < N_MODELS; k++) {
        char *path = dn_format(MODELS "%s.jsonl", models[k].name), *line = NULL;
        FILE *file = fopen(path, "r");
        dn_tokeniser *t = open_model(models[k].name);
        dn_token_cache *cache = dn_token_cache_new();
        size_t room = 0, n_cases = 0;
        ssize_t size;
        REQUIRE(file && t);
        EXPECT_TEXT(dn_tokeniser_kind(t), models[k].kind);
        while ((size = getline(&line, &room, file)) > 0) {
            check_case(t, cache, (dn_span){line, (size_t)size});
            n_cases++;
        }
        EXPECT(n_cases > 250);
        fclose(file);
        free(line);
        free(path);
        dn_token_cache_free(cache);
        dn_tokeniser_close(t);
    }
}

/* A megabyte without a blank, of one letter, of pairs that merge again and again, of what is
 * unknown, of special tokens. */
CASE(tokenisers_take_very_long_words) {
    static const char *const units[] = {"a", "th",  "\u4eba", "\U000f1234",
                                        " ", "<s>", "\ufdfa", "e\u0301"};
    enum { SIZE = 1 << 20 };
    char *text = dn_alloc(SIZE);
    for (int k = 0; k < N_MODELS; k++) {
        dn_tokeniser *t = open_model(models[k].name);
        REQUIRE(t);
        dn_token_cache *cache = dn_token_cache_new();
        int64_t room = dn_tokeniser_room(t, SIZE);
        int32_t *ids = dn_alloc_array((size_t)room, sizeof *ids), part[128];
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            size_t unit = strlen(units[u]), n = SIZE / unit;
            for (size_t i = 0; i < n; i++) {
                memcpy(text + i * unit, units[u], unit);
            }
            dn_span whole = {text, n * unit};
            int32_t n_ids = dn_tokeniser_encode(t, cache, whole, (int32_t)room, ids);
            EXPECT(n_ids >= 2 && n_ids <= room);
            EXPECT_INT(ids[0], 0);
            EXPECT_INT(ids[n_ids - 1], 2);
            int32_t n_part = dn_tokeniser_encode(t, cache, whole, 128, part);
            EXPECT_INT(n_part, n_ids < 128 ? n_ids : 128);
            EXPECT(memcmp(part, ids, (size_t)(n_part - 1) * sizeof *part) == 0);
        }
        free(ids);
        dn_token_cache_free(cache);
        dn_tokeniser_close(t);
    }
    free(text);
}

CASE(tokenisers_check_the_embedding) {
    dn_tokeniser *t = open_model("bpe");
    REQUIRE(t);
    int32_t size = dn_tokeniser_size(t);
    EXPECT(dn_tokeniser_check(t, "model.safetensors", size) == DN_OK);
    EXPECT(dn_tokeniser_check(t, "model.safetensors", size + 7) == DN_OK);
    EXPECT(dn_tokeniser_check(t, "model.safetensors", size - 1) == DN_FATAL);
    EXPECT(strstr(dn_failure_last()->text, MODELS "bpe/tokenizer.json"));
    EXPECT(strstr(dn_failure_last()->text, "model.safetensors"));
    dn_tokeniser_close(t);
}

/* ---- bad input ---- */

static char folder[] = "/tmp/dunlin-tokenisers-XXXXXX";

static void write_file(const char *name, const char *bytes, size_t size) {
    char *path = dn_format("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    EXPECT(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    free(path);
}

static void remove_file(const char *name) {
    char *path = dn_format("%s/%s", folder, name);
    unlink(path);
    free(path);
}

/* Opening the folder fails with this error, the folder and `text` in the message. */
static void expect_refusal(dn_error error, const char *text) {
    dn_tokeniser *t = NULL;
    EXPECT(dn_tokeniser_open(folder, &t) == DN_FATAL);
    EXPECT_INT(dn_failure_last()->error, error);
    if (!strstr(dn_failure_last()->text, text) || !strstr(dn_failure_last()->text, folder)) {
        fprintf(stderr, "got:  %s\nwant: %s\n", dn_failure_last()->text, text);
        EXPECT(!"the message that names it");
    }
}

#define BERT(options, added, vocab)                                                                \
    "{\"normalizer\":{\"type\":\"BertNormalizer\"" options                                         \
    "},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"added_tokens\":[" added                 \
    "],\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\","  \
    "1]},"                                                                                         \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##" \
    "\","                                                                                          \
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2," vocab "}}}"

static const struct {
    const char *json;
    int32_t want[6]; /* of "Ab \u00c9[SEP]" */
} berts[] = {
    {BERT("", "", "\"a\":3,\"##b\":4,\"e\":5"), {1, 3, 4, 5, 2, 2}},
    {BERT(",\"lowercase\":false", "", "\"A\":3,\"##b\":4,\"\u00c9\":5"), {1, 3, 4, 5, 2, 2}},
    {BERT(",\"strip_accents\":false", "", "\"\u00e9\":3,\"##b\":4,\"a\":5"), {1, 5, 4, 3, 2, 2}},
};

CASE(tokenisers_read_wordpiece_from_json) {
    for (size_t i = 0; i < sizeof berts / sizeof *berts; i++) {
        dn_tokeniser *t;
        int32_t ids[16];
        write_file("tokenizer.json", berts[i].json, strlen(berts[i].json));
        if (dn_tokeniser_open(folder, &t) != DN_OK) {
            fprintf(stderr, "%s\n", dn_failure_last()->text);
            REQUIRE(!"a sound file");
        }
        dn_token_cache *cache = dn_token_cache_new();
        EXPECT_INT(dn_tokeniser_encode(t, cache, DN_SPAN("Ab \u00c9[SEP]"), 16, ids), 6);
        EXPECT(memcmp(ids, berts[i].want, sizeof berts[i].want) == 0);
        dn_token_cache_free(cache);
        dn_tokeniser_close(t);
    }
    /* many tokens, so that the trie grows */
    dn_json *doc;
    REQUIRE(dn_json_load("tests/data/tokenisers/bpe_files/vocab.json", 1 << 20, DN_E_DATA, &doc) ==
            DN_OK);
    dn_json_at vocab = dn_json_root(doc);
    dn_vocabulary all;
    REQUIRE(dn_vocabulary_from_json(&vocab, "vocab.json", &all) == DN_OK);
    dn_json_at member;
    for (void *cursor = NULL; dn_json_next(&vocab, &cursor, &member);) {
        int64_t id;
        EXPECT(dn_json_int(&member, 0, 1 << 20, &id) == DN_OK);
        EXPECT_INT(dn_vocabulary_find(&all, dn_span_of(member.key)), id);
    }
    dn_vocabulary_free(&all);
    dn_json_free(doc);
    remove_file("tokenizer.json");
}

#define BPE_WORDS "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"
#define UNI_WORDS "\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\"}"
#define UNI_MODEL                                                                                  \
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1]]}"
#define BPE(fields) "{" BPE_WORDS ",\"model\":{\"type\":\"BPE\"," fields "}}"
#define UNI(fields) "{" UNI_WORDS ",\"model\":{\"type\":\"Unigram\"," fields "}}"
#define AB          "\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}"

static const struct {
    const char *json, *text;
} damaged[] = {
    {"", "tokenizer.json:"},
    {"{", "tokenizer.json:"},
    {"[]", "is a list, expected an object"},
    {"{}", "has no \"model\""},
    {"{\"model\":{}}", "model: has no \"type\""},
    {"{\"model\":{\"type\":\"WordLevel\"}}", "model: is of the type 'WordLevel'"},
    {"{\"model\":{\"type\":\"BPE\"}}", "has no \"pre_tokenizer\""},
    {"{\"pre_tokenizer\":{\"type\":\"Whitespace\"},\"model\":{\"type\":\"BPE\"}}",
     "pre_tokenizer: 'Whitespace' is not supported"},
    {"{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"use_regex\":false},\"model\":{\"type\":\"BPE\"}"
     "}",
     "pre_tokenizer: use_regex is off"},
    {"{\"normalizer\":{\"type\":\"NFC\"}," BPE_WORDS ",\"model\":{\"type\":\"BPE\"}}",
     "normalizer: is not supported with BPE"},
    {BPE("\"dropout\":0.1"), "model.dropout: is set"},
    {BPE("\"byte_fallback\":true"), "model.byte_fallback: is set"},
    {BPE("\"continuing_subword_prefix\":\"##\""), "model.continuing_subword_prefix: is set"},
    {BPE("\"merges\":[]"), "model: has no \"vocab\""},
    {BPE("\"vocab\":{},\"merges\":[]"), "model.vocab: is empty"},
    {BPE("\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]"), "duplicate"},
    {BPE("\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]"), "another token has the id 0"},
    {BPE("\"vocab\":{\"a\":-1},\"merges\":[]"), "model.vocab.a: is -1"},
    {BPE("\"vocab\":{\"a\":\"x\"},\"merges\":[]"), "model.vocab.a: is a text"},
    {BPE(AB), "model: has no \"merges\""},
    {BPE(AB ",\"merges\":[\"a c\"]"), "model.merges[0]: the vocabulary has no token 'c'"},
    {BPE(AB ",\"merges\":[\"b a\"]"), "model.merges[0]: the vocabulary has no token 'ba'"},
    {BPE(AB ",\"merges\":[\"ab\"]"), "model.merges[0]: not two tokens"},
    {BPE(AB ",\"merges\":[[\"a\",\"b\"],[\"a\",\"b\"]]"), "model.merges[1]: a line before merges"},
    {BPE(AB ",\"merges\":[[\"a\"]]"), "model.merges[0]: is not a merge"},
    {"{\"model\":{\"type\":\"Unigram\"}}", "has no \"pre_tokenizer\""},
    {"{\"pre_tokenizer\":{\"type\":\"Digits\"},\"model\":{\"type\":\"Unigram\"}}",
     "pre_tokenizer: 'Digits' is not supported"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"__\"},\"model\":{\"type\":"
     "\"Unigram\"}}",
     "pre_tokenizer.replacement: is not one character"},
    {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":"
     "\"first\"},"
     "\"model\":{\"type\":\"Unigram\"}}",
     "pre_tokenizer.prepend_scheme: 'first' is not supported"},
    {"{\"normalizer\":{\"type\":\"Lowercase\"}," UNI_WORDS ",\"model\":{\"type\":\"Unigram\"}}",
     "normalizer: 'Lowercase' is not supported"},
    {"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"content\":"
     "\"\","
     "\"pattern\":{\"Regex\":\"a+\"}}]}," UNI_WORDS ",\"model\":{\"type\":\"Unigram\"}}",
     "normalizer.normalizers[0].pattern.Regex: 'a+' is not supported"},
    {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"*\"}," UNI_WORDS
     ",\"model\":{\"type\":\"Unigram\"}}",
     "precompiled_charsmap: is not base64"},
    {UNI("\"unk_id\":0,\"vocab\":[]"), "model.vocab: has 0 tokens"},
    {UNI("\"unk_id\":null,\"vocab\":[[\"a\",0]]"), "model: has no \"unk_id\""},
    {UNI("\"unk_id\":1,\"vocab\":[[\"a\",0]]"), "model.unk_id: is 1"},
    {UNI("\"unk_id\":0,\"vocab\":[[\"a\",0],[\"a\",1]]"),
     "model.vocab: token 1, 'a', is there twice"},
    {UNI("\"unk_id\":0,\"vocab\":[[\"a\"]]"), "model.vocab[0]: is not a token and its score"},
    {UNI("\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"a\",0]]"),
     "model.byte_fallback: is set"},
    {"{" UNI_WORDS "," UNI_MODEL ",\"added_tokens\":[{\"id\":1}]}",
     "added_tokens[0]: has no \"content\""},
    {"{" UNI_WORDS "," UNI_MODEL
     ",\"added_tokens\":[{\"id\":1,\"content\":\"x\",\"single_word\":true}]}",
     "added_tokens[0]: single_word is set"},
    {"{" UNI_WORDS "," UNI_MODEL ",\"post_processor\":{\"type\":\"Other\"}}",
     "post_processor: 'Other' is not supported"},
    {"{" UNI_WORDS "," UNI_MODEL
     ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",9],"
     "\"sep\":[\"y\",1]}}",
     "the special token 9 of post_processor is not in the vocabulary of 2"},
    {"{\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"model\":{\"type\":\"WordPiece\"}}",
     "model: has no \"unk_token\""},
    {BERT("", "", "\"a\":7"), "model.vocab.a: is 7"},
    {BERT("", "", "\"a\":1"), "another token has the id 1"},
    {BERT(",\"clean_text\":false", "", "\"a\":3"), "normalizer: clean_text is off"},
    {BERT("", "{\"id\":3,\"content\":\"x\"}", "\"x\":3"),
     "added_tokens: 'x' is none of the five plain special tokens"},
};

CASE(tokenisers_name_what_is_wrong_with_tokenizer_json) {
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        write_file("tokenizer.json", damaged[i].json, strlen(damaged[i].json));
        expect_refusal(DN_E_MODEL, damaged[i].text);
    }
    remove_file("tokenizer.json");
}

CASE(tokenisers_name_what_is_wrong_with_the_older_files) {
    static const char vocab[] =
        "{\"a\":0,\"b\":1,\"ab\":2,\"<s>\":3,\"</s>\":4,\"<pad>\":5,\"<unk>\":6}";
    expect_refusal(DN_E_NO_INPUT, "there is no tokenizer.json, vocab.txt, vocab.json");
    write_file("merges.txt", "#version: 0.2\na b\na c\n", 22);
    expect_refusal(DN_E_NO_INPUT, "/vocab.json: cannot be read");
    write_file("vocab.json", vocab, sizeof vocab - 1);
    expect_refusal(DN_E_MODEL, "/merges.txt:3: the vocabulary has no token 'c'");
    write_file("merges.txt", "a b\n", 4);
    expect_refusal(DN_E_MODEL, "/vocab.json: has no <mask>");
    remove_file("merges.txt");
    expect_refusal(DN_E_NO_INPUT, "/merges.txt: No such file");
    remove_file("vocab.json");
}

/* Every prefix of a model file, and every byte of its beginning changed: refused or read, never
 * worse. */
CASE(tokenisers_read_damaged_spm_files) {
    FILE *file = fopen(MODELS "unigram_spm/sentencepiece.bpe.model", "rb");
    static char bytes[1 << 16];
    REQUIRE(file);
    size_t size = fread(bytes, 1, sizeof bytes, file), n_refused = 0;
    fclose(file);
    for (int i = 0; i < 600; i++) {
        size_t keep = i % 2 ? size : dn_random() % size, at = dn_random() % size;
        char was = bytes[at];
        bytes[at] = (char)(i % 2 ? dn_random() : (unsigned char)was);
        write_file("sentencepiece.bpe.model", bytes, keep);
        bytes[at] = was;
        dn_tokeniser *t = NULL;
        if (dn_tokeniser_open(folder, &t) != DN_OK) {
            EXPECT(strstr(dn_failure_last()->text, "/sentencepiece.bpe.model"));
            n_refused++;
            continue;
        }
        dn_token_cache *cache = dn_token_cache_new();
        int32_t ids[64];
        EXPECT(dn_tokeniser_encode(t, cache, DN_SPAN("a \u00bd \ufdfa e\u0301 \uff21"), 64, ids) >=
               2);
        dn_token_cache_free(cache);
        dn_tokeniser_close(t);
    }
    EXPECT(n_refused > 100);
    write_file("config.json", "{\"model_type\":\"t5\"}", 19);
    write_file("sentencepiece.bpe.model", bytes, size);
    expect_refusal(DN_E_MODEL, "config.json: model_type: 't5' is not xlm-roberta");
    remove_file("config.json");
    remove_file("sentencepiece.bpe.model");
}

int main(int argc, char **argv) {
    EXPECT(mkdtemp(folder) != NULL);
    int status = dn_test_main(argc, argv);
    rmdir(folder);
    return status;
}
