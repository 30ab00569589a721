#include "text/timestamp.h"

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take(cursor *c, const char *any_of) {
    bool found = c->at < c->end && *c->at && strchr(any_of, *c->at);
    c->at += found;
    return found;
}

/* Exactly `n` digits of a number in [low, high]. */
static bool take_number(cursor *c, int n, int low, int high, int *out) {
    int value = 0;
    if (c->end - c->at < n) {
        return false;
    }
    for (int i = 0; i < n; i++, c->at++) {
        if (*c->at < '0' || *c->at > '9') {
            return false;
        }
        value = value * 10 + (*c->at - '0');
    }
    *out = value;
    return value >= low && value <= high;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970-01-01 in the Gregorian calendar. Years begin in March, so that the leap day is
 * the last of a year. */
static int64_t days_of(int year, int month, int day) {
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool take_fraction(cursor *c, int *ms) {
    *ms = 0;
    if (!take(c, ".")) {
        return true;
    }
    const char *first = c->at;
    int weight = 100;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, weight /= 10) {
        *ms += weight * (*c->at - '0');
    }
    return c->at > first;
}

static bool take_offset(cursor *c, int *minutes) {
    *minutes = 0;
    if (c->at == c->end || take(c, "Zz")) {
        return true;
    }
    int sign = *c->at == '-' ? -1 : 1, h, m;
    if (!take(c, "+-") || !take_number(c, 2, 0, 23, &h) || !take(c, ":") ||
        !take_number(c, 2, 0, 59, &m)) {
        return false;
    }
    *minutes = sign * (h * 60 + m);
    return true;
}

bool dn_timestamp_parse(dn_span text, int64_t *out_ms) {
    cursor c = {text.ptr, text.ptr + text.len};
    int year, month, day, hour, minute, second, ms, offset;
    bool good =
        take_number(&c, 4, 0, 9999, &year) && take(&c, "-") && take_number(&c, 2, 1, 12, &month) &&
        take(&c, "-") && take_number(&c, 2, 1, days_in_month(year, month), &day) &&
        take(&c, "Tt ") && take_number(&c, 2, 0, 23, &hour) && take(&c, ":") &&
        take_number(&c, 2, 0, 59, &minute) && take(&c, ":") && take_number(&c, 2, 0, 60, &second) &&
        take_fraction(&c, &ms) && take_offset(&c, &offset) && c.at == c.end;
    if (!good) {
        return false;
    }
    int64_t minutes = days_of(year, month, day) * 1440 + hour * 60 + minute - offset;
    *out_ms = (minutes * 60 + second) * 1000 + ms;
    return true;
}
