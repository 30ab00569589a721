#include "base/time_text.h"

typedef struct reader {
    const char *at, *end;
    bool ok;
} reader;

typedef struct date {
    int64_t year, month, day, hour, minute, second, ms, offset_min;
} date;

static int64_t number(reader *r, int min_digits, int max_digits) {
    int64_t value = 0;
    int digits = 0;
    while (r->at < r->end && digits < max_digits && *r->at >= '0' && *r->at <= '9') {
        value = value * 10 + (*r->at++ - '0');
        digits++;
    }
    r->ok &= digits >= min_digits;
    return value;
}

static bool take(reader *r, char c) {
    bool there = r->at < r->end && *r->at == c;
    r->at += there;
    return there;
}

static void need(reader *r, char c) {
    r->ok &= take(r, c);
}

/* Milliseconds from the digits behind the point. */
static int64_t fraction(reader *r) {
    int64_t scale = 100, ms = 0;
    const char *first = r->at;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        ms += (*r->at - '0') * scale;
        scale /= 10;
    }
    r->ok &= r->at > first;
    return ms;
}

/* Minutes to the east of UTC. */
static int64_t zone(reader *r, bool strict) {
    if (r->at == r->end || take(r, 'Z') || (strict && take(r, 'z'))) {
        return 0;
    }
    int sign = take(r, '-') ? -1 : 1;
    if (sign == 1) {
        need(r, '+');
    }
    int64_t hours = number(r, 2, 2);
    r->ok &= take(r, ':') || !strict;
    int64_t minutes = number(r, 2, 2);
    r->ok &= hours <= (strict ? 23 : 14) && minutes < 60;
    return sign * (hours * 60 + minutes);
}

static void clock_time(reader *r, date *d) {
    d->hour = number(r, 1, 2);
    need(r, ':');
    d->minute = number(r, 2, 2);
    if (take(r, ':')) {
        d->second = number(r, 2, 2);
        d->ms = take(r, '.') ? fraction(r) : 0;
    }
}

static void iso(reader *r, date *d) {
    d->year = number(r, 4, 4);
    need(r, '-');
    d->month = number(r, 2, 2);
    need(r, '-');
    d->day = number(r, 2, 2);
    if (r->ok && r->at < r->end) {
        r->ok &= take(r, 'T') || take(r, ' ');
        clock_time(r, d);
        d->offset_min = zone(r, false);
    }
}

static void slashes(reader *r, date *d) {
    d->month = number(r, 1, 2);
    need(r, '/');
    d->day = number(r, 1, 2);
    need(r, '/');
    d->year = number(r, 4, 4);
    if (r->ok && r->at < r->end) {
        need(r, ' ');
        clock_time(r, d);
    }
}

static void twitter(reader *r, date *d) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    r->at += 4;
    for (int i = 0; i < 12; i++) {
        if (!memcmp(r->at, months + (ptrdiff_t)i * 3, 3)) {
            d->month = i + 1;
        }
    }
    r->at += 3;
    need(r, ' ');
    d->day = number(r, 1, 2);
    need(r, ' ');
    clock_time(r, d);
    need(r, ' ');
    d->offset_min = zone(r, false);
    need(r, ' ');
    d->year = number(r, 4, 4);
}

static bool possible(const date *d) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (d->month < 1 || d->month > 12 || d->year < 1) {
        return false;
    }
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;
    int64_t last = days[d->month - 1] + (d->month == 2 && leap);
    return d->day >= 1 && d->day <= last && d->hour < 24 && d->minute < 60 && d->second <= 60;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar; years begin in March, so that the
 * leap day is the last. */
static int64_t days_since_epoch(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t to_ms(const date *d) {
    int64_t minutes = (days_since_epoch(d->year, d->month, d->day) * 24 + d->hour) * 60 + d->minute;
    return ((minutes - d->offset_min) * 60 + d->second) * 1000 + d->ms;
}

static bool finish(const reader *r, const date *d, int64_t *ms) {
    if (!r->ok || r->at != r->end || !possible(d)) {
        return false;
    }
    *ms = to_ms(d);
    return true;
}

bool dn_time_rfc3339(dn_span text, int64_t *ms) {
    reader r = {text.ptr, text.ptr + text.len, true};
    date d = {.year = number(&r, 4, 4)};
    need(&r, '-');
    d.month = number(&r, 2, 2);
    need(&r, '-');
    d.day = number(&r, 2, 2);
    r.ok &= take(&r, 'T') || take(&r, 't') || take(&r, ' ');
    d.hour = number(&r, 2, 2);
    need(&r, ':');
    d.minute = number(&r, 2, 2);
    need(&r, ':');
    d.second = number(&r, 2, 2);
    d.ms = take(&r, '.') ? fraction(&r) : 0;
    d.offset_min = r.ok ? zone(&r, true) : 0;
    return finish(&r, &d, ms);
}

static bool integer(dn_span text, int64_t *ms) {
    enum { DIGITS_MAX = 17 };
    reader r = {text.ptr, text.ptr + text.len, true};
    bool negative = take(&r, '-');
    int64_t value = number(&r, 1, DIGITS_MAX);
    if (!r.ok || r.at != r.end) {
        return false;
    }
    *ms = negative ? -value : value;
    return true;
}

bool dn_time_any(dn_span text, int64_t *ms) {
    enum { TWITTER_LENGTH = 30 };
    reader r = {text.ptr, text.ptr + text.len, true};
    date d = {0};
    if (integer(text, ms)) {
        return true;
    }
    if (text.len > 4 && text.ptr[4] == '-') {
        iso(&r, &d);
    } else if (text.len == TWITTER_LENGTH && text.ptr[3] == ' ') {
        twitter(&r, &d);
    } else {
        slashes(&r, &d);
    }
    return finish(&r, &d, ms);
}

/* ---- writing */

static void put_pair(char *out, int64_t number) {
    out[0] = (char)('0' + number / 10);
    out[1] = (char)('0' + number % 10);
}

/* "2017-08-15" of days since 1970-01-01; years begin in March here too. */
static void put_date(char *out, int64_t days) {
    days += 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153, day = of_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);
    put_pair(out, year / 100);
    put_pair(out + 2, year % 100);
    out[4] = out[7] = '-';
    put_pair(out + 5, month);
    put_pair(out + 8, day);
}

int dn_time_write(int64_t ms, char out[DN_TIME_TEXT_MAX]) {
    static const int64_t first_ms = -62135596800000, last_ms = 253402300799999, day_ms = 86400000;
    if (ms < first_ms || ms > last_ms) {
        return 0;
    }
    int64_t since = ms - first_ms, of_day = since % day_ms, second = of_day / 1000;
    put_date(out, (since - of_day + first_ms) / day_ms);
    out[10] = 'T';
    put_pair(out + 11, second / 3600);
    put_pair(out + 14, second / 60 % 60);
    put_pair(out + 17, second % 60);
    out[13] = out[16] = ':';
    int length = 19;
    if (of_day % 1000) {
        out[19] = '.';
        out[20] = (char)('0' + of_day % 1000 / 100);
        put_pair(out + 21, of_day % 100);
        length = 23;
    }
    out[length] = 'Z';
    return length + 1;
}
