#include "text/own_words.h"
#include "text/mail_phrases.h"

#include <ctype.h>
#include <strings.h>

enum {
    FOOTER_LINES = 25,    /* a footer ends the mail and is no longer than this */
    FOOTER_OPEN = 8,      /* the same for one without a rule */
    FOOTER_NEAR = 4,      /* lines behind a rule in which its words stand */
    FOOTER_BYTES = 200,   /* of each of them that are looked at */
    RULE_BYTES = 20,      /* shortest rule */
    SIGNATURE_LINES = 20, /* behind "-- " */
    BARE_LINES = 8,       /* behind "--", which is used as a rule, too */
    CLOSING_LINES = 5,
    CLOSING_BYTES = 60, /* of each line below a closing */
    HEADER_LINES = 6,   /* in which the labels of an original stand */
    ATTRIBUTION_LINES = 3,
    ATTRIBUTION_BYTES = 200, /* of each of its lines */
};

static bool begins(dn_span s, const char *word) {
    size_t n = strlen(word);
    return s.len >= n && strncasecmp(s.ptr, word, n) == 0;
}

/* Whether a word or phrase stands in the line, not in the middle of a word. */
static bool contains(dn_span s, const char *word) {
    for (size_t i = 0; i < s.len; i++) {
        bool starts = i == 0 || !isalnum((unsigned char)s.ptr[i - 1]);
        if (starts && begins((dn_span){s.ptr + i, s.len - i}, word)) {
            return true;
        }
    }
    return false;
}

static bool any(dn_span s, const char *const *words, bool (*test)(dn_span s, const char *word)) {
    while (*words && !test(s, *words)) {
        words++;
    }
    return *words != NULL;
}

static bool is(dn_span s, const char *word) {
    return s.len == strlen(word) && begins(s, word);
}

static dn_span skip(dn_span s, const char *set) {
    while (s.len && strchr(set, s.ptr[0])) {
        s = (dn_span){s.ptr + 1, s.len - 1};
    }
    return s;
}

static dn_span strip(dn_span s, const char *set) {
    s = skip(s, set);
    while (s.len && strchr(set, s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

static bool is_rule(dn_span s) {
    s = skip(s, " \t");
    if (s.len < RULE_BYTES || !strchr("-_=*#~", s.ptr[0])) {
        return false;
    }
    size_t same = 0;
    while (same < s.len && s.ptr[same] == s.ptr[0]) {
        same++;
    }
    return same >= RULE_BYTES; /* words may follow: "------- Sponsor ----" */
}

static void split(dn_own_words *own, dn_span text) {
    const char *at = text.ptr, *end = text.ptr + text.len;
    own->n = 0;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at)), *stop = lf ? lf : end;
        dn_span line = {at, (size_t)(stop - at)};
        while (line.len && (line.ptr[line.len - 1] == ' ' || line.ptr[line.len - 1] == '\t')) {
            line.len--;
        }
        if (own->n == own->room) {
            own->room = own->room ? own->room * 2 : 256;
            own->line = dn_grow(own->line, own->room, sizeof *own->line);
        }
        own->line[own->n++] = (dn_mail_line){line, DN_CUT_NOTHING};
        at = lf ? lf + 1 : end;
    }
}

static void cut(dn_own_words *own, size_t from, size_t to, dn_cut kind) {
    for (size_t i = from; i < to; i++) {
        if (!own->line[i].cut) {
            own->line[i].cut = (uint8_t)kind;
            own->n_cut[kind] += own->line[i].text.len != 0;
        }
    }
}

/* --- footers -------------------------------------------------------------------------------- */

static bool has_footer_words(const dn_own_words *own, size_t from) {
    for (size_t i = from; i < own->n && i <= from + FOOTER_NEAR; i++) {
        dn_span text = own->line[i].text;
        text.len = text.len < FOOTER_BYTES ? text.len : FOOTER_BYTES;
        if (any(text, footer_words, contains)) {
            return true;
        }
    }
    return false;
}

static void cut_footer(dn_own_words *own) {
    size_t first = own->n > FOOTER_LINES ? own->n - FOOTER_LINES : 0;
    for (size_t i = first; i < own->n; i++) {
        dn_span text = own->line[i].text;
        bool after_blank = i == 0 || own->line[i - 1].text.len == 0;
        bool opens = after_blank && own->n - i <= FOOTER_OPEN && any(text, footer_openers, begins);
        if (opens || (is_rule(text) && has_footer_words(own, i))) {
            cut(own, i, own->n, DN_CUT_FOOTER);
            return;
        }
    }
}

/* --- originals and forwards ----------------------------------------------------------------- */

/* "----- Words -----": at least two dashes before the words. */
static bool is_marker(dn_span s, const char *const *words) {
    s = skip(s, " \t");
    bool dashes = s.len > 2 && (memcmp(s.ptr, "--", 2) == 0 || memcmp(s.ptr, "__", 2) == 0);
    return dashes && any(strip(s, "-_* \t:"), words, begins);
}

/* "From:", "*Von:*", "De :" */
static bool is_label(dn_span s, const char *const *words) {
    s = skip(s, " \t*");
    const char *colon = s.len ? memchr(s.ptr, ':', s.len < 32 ? s.len : 32) : NULL;
    if (!colon) {
        return false;
    }
    s = strip((dn_span){s.ptr, (size_t)(colon - s.ptr)}, " \t*");
    s.len -= s.len > 2 && memcmp(s.ptr + s.len - 2, "\u00a0", 2) == 0 ? 2 : 0; /* French */
    return any(s, words, is);
}

/* Whether the header lines of an answered message begin at line i. */
static bool begins_header(const dn_own_words *own, size_t i) {
    if (!is_label(own->line[i].text, from_labels) ||
        (i > 0 && own->line[i - 1].text.len && !is_rule(own->line[i - 1].text))) {
        return false;
    }
    bool sent = false;
    int others = 0;
    for (size_t k = i + 1; k < own->n && k <= i + HEADER_LINES && own->line[k].text.len; k++) {
        sent = sent || is_label(own->line[k].text, sent_labels);
        others += is_label(own->line[k].text, other_labels);
    }
    return sent && others > 0;
}

static dn_cut rest_kind(const dn_own_words *own, size_t i) {
    dn_span text = own->line[i].text;
    if (is_marker(text, forward_markers) || any(strip(text, " \t"), forward_lines, is)) {
        return DN_CUT_FORWARD;
    }
    bool original = is_marker(text, original_markers) || begins_header(own, i);
    return original ? DN_CUT_ORIGINAL : DN_CUT_NOTHING;
}

/* Where what is answered ends that begins at line i: at the quote that follows its header lines,
 * since then the answer may stand below; else at the end of the mail. */
static size_t rest_end(const dn_own_words *own, size_t i) {
    size_t k = i + 1;
    while (k < own->n && k <= i + HEADER_LINES &&
           (!own->line[k].text.len || is_label(own->line[k].text, from_labels) ||
            is_label(own->line[k].text, sent_labels) ||
            is_label(own->line[k].text, other_labels))) {
        k++;
    }
    return k < own->n && own->line[k].text.len && own->line[k].text.ptr[0] == '>' ? k : own->n;
}

/* The first marker whose rule is on takes everything behind it, or its header lines. */
static void cut_rest(dn_own_words *own) {
    for (size_t i = 0; i < own->n; i++) {
        dn_cut kind = own->line[i].cut ? DN_CUT_NOTHING : rest_kind(own, i);
        if (kind && own->rule[kind]) {
            bool ruled = i > 0 && is_rule(own->line[i - 1].text);
            size_t end = kind == DN_CUT_ORIGINAL ? rest_end(own, i) : own->n;
            cut(own, i - ruled, end, kind);
            i = end - 1;
        }
    }
}

/* --- quotes --------------------------------------------------------------------------------- */

/* "> text", ">> text", "JD> text", "|> text", and with the mail's own mark */
static bool is_quoted(const dn_own_words *own, dn_span s) {
    if (s.len && own->mark && s.ptr[0] == own->mark) {
        return true;
    }
    s = skip(s, " \t");
    size_t letters = s.len && s.ptr[0] == '|';
    while (letters < s.len && letters < 3 && isupper((unsigned char)s.ptr[letters])) {
        letters++;
    }
    return s.len > letters && s.ptr[letters] == '>';
}

/* Mailbox files write ">From " for a line that begins with "From ". */
static bool is_escaped(dn_span s) {
    return s.len >= 6 && memcmp(s.ptr, ">From ", 6) == 0;
}

static bool is_quote_at(const dn_own_words *own, size_t i) {
    dn_span text = own->line[i].text;
    if (!is_quoted(own, text)) {
        return false;
    }
    bool above = i > 0 && is_quoted(own, own->line[i - 1].text);
    return !is_escaped(text) || above || (i + 1 < own->n && is_quoted(own, own->line[i + 1].text));
}

static bool is_own(const dn_own_words *own, size_t i) {
    return !own->line[i].cut && own->line[i].text.len;
}

/* Where the attribution that ends with line `last` begins; last + 1 where it is none. */
static size_t attribution_start(const dn_own_words *own, size_t last) {
    dn_span text = own->line[last].text;
    bool says = false;
    if (text.ptr[text.len - 1] != ':') {
        return last + 1;
    }
    for (size_t n = 0; n < ATTRIBUTION_LINES && n <= last && is_own(own, last - n); n++) {
        dn_span line = skip(own->line[last - n].text, " \t");
        if (line.len > ATTRIBUTION_BYTES) {
            break;
        }
        says = says || any(line, attribution_verbs, contains);
        if (says && any(line, attribution_openers, begins)) {
            return last - n;
        }
    }
    bool alone = text.len <= ATTRIBUTION_BYTES && any(text, attribution_verbs, contains);
    return alone ? last : last + 1;
}

/* Some programs quote with another sign: the one that begins two lines behind an attribution. */
static char find_mark(const dn_own_words *own) {
    for (size_t i = 0; i + 2 < own->n; i++) {
        if (!is_own(own, i) || attribution_start(own, i) > i) {
            continue;
        }
        size_t next = i + 1 + !own->line[i + 1].text.len;
        dn_span first = own->line[next].text;
        dn_span second = next + 1 < own->n ? own->line[next + 1].text : (dn_span){"", 0};
        if (first.len && second.len && strchr(":|}]=+", first.ptr[0]) &&
            first.ptr[0] == second.ptr[0]) {
            return first.ptr[0];
        }
    }
    return 0;
}

/* Quoted lines, and what says before the first line of a quote who wrote it. */
static void cut_quotes(dn_own_words *own) {
    own->mark = find_mark(own);
    for (size_t i = 0; i < own->n; i++) {
        if (own->line[i].cut || !is_quote_at(own, i)) {
            continue;
        }
        size_t before = i;
        while (before > 0 && i - before < 2 && !own->line[before - 1].text.len) {
            before--;
        }
        if (own->rule[DN_CUT_ATTRIBUTION] && before > 0 && is_own(own, before - 1) &&
            !is_quote_at(own, before - 1)) {
            cut(own, attribution_start(own, before - 1), before, DN_CUT_ATTRIBUTION);
        }
        if (own->rule[DN_CUT_QUOTE]) {
            cut(own, i, i + 1, DN_CUT_QUOTE);
        }
    }
}

/* --- signatures ----------------------------------------------------------------------------- */

/* Lines with words, behind line i, that are the writer's own so far. */
static size_t own_behind(const dn_own_words *own, size_t i) {
    size_t n = 0;
    for (size_t k = i + 1; k < own->n; k++) {
        n += is_own(own, k);
    }
    return n;
}

/* Blanks at the end of a line are cut off, but the text behind the view still has them. */
static bool has_blank(const dn_mail_line *line, dn_span text) {
    const char *behind = line->text.ptr + line->text.len;
    return behind < text.ptr + text.len && *behind == ' ';
}

static void cut_signature(dn_own_words *own, dn_span text) {
    for (size_t i = own->n; i-- > 0;) {
        const dn_mail_line *line = &own->line[i];
        if (!line->cut && is(line->text, "--")) {
            size_t most = has_blank(line, text) ? SIGNATURE_LINES : BARE_LINES;
            if (own_behind(own, i) <= most) {
                cut(own, i, own->n, DN_CUT_SIGNATURE);
            }
            return;
        }
    }
}

static bool short_lines_behind(const dn_own_words *own, size_t i) {
    size_t n = 0;
    for (size_t k = i + 1; k < own->n; k++) {
        if (is_own(own, k)) {
            n++;
            if (own->line[k].text.len > CLOSING_BYTES) {
                return false;
            }
        }
    }
    return n >= 1 && n <= CLOSING_LINES;
}

/* Looks only as far up as a closing can stand, and never cuts a mail's first words. */
static void cut_closing(dn_own_words *own) {
    size_t seen = 0, first = 0;
    while (first < own->n && !is_own(own, first)) {
        first++;
    }
    for (size_t i = own->n; i-- > first + 1 && seen <= CLOSING_LINES;) {
        if (!is_own(own, i)) {
            continue;
        }
        seen++;
        if (any(strip(own->line[i].text, " \t,.!"), closings, is) && short_lines_behind(own, i)) {
            cut(own, i, own->n, DN_CUT_CLOSING);
            return;
        }
    }
}

static void put_kept(const dn_own_words *own, dn_text_buffer *out) {
    bool any_line = false, blank = false;
    for (size_t i = 0; i < own->n; i++) {
        dn_span text = own->line[i].text;
        if (own->line[i].cut || !text.len) {
            blank = true;
            continue;
        }
        if (any_line) {
            dn_text_put(out, "\n\n", blank ? 2 : 1);
        }
        dn_text_put(out, text.ptr, text.len);
        any_line = true;
        blank = false;
    }
}

void dn_own_words_cut(dn_own_words *own, dn_span text, dn_text_buffer *out) {
    memset(own->n_cut, 0, sizeof own->n_cut);
    split(own, text);
    if (own->rule[DN_CUT_FOOTER]) {
        cut_footer(own);
    }
    cut_rest(own);
    cut_quotes(own);
    if (own->rule[DN_CUT_SIGNATURE]) {
        cut_signature(own, text);
    }
    if (own->rule[DN_CUT_CLOSING]) {
        cut_closing(own);
    }
    put_kept(own, out);
}

void dn_own_words_free(dn_own_words *own) {
    free(own->line);
    *own = (dn_own_words){.n = 0};
}
