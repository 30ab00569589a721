#include "base/status.h"

#include "test.h"

#include <pthread.h>

CASE(every_error_has_a_row_of_its_own) {
    for (int a = DN_E_NONE + 1; a < DN_E_COUNT; a++) {
        const dn_error_info *info = dn_error_get((dn_error)a);
        EXPECT(info->number >= 1000);
        EXPECT(info->exit_status == 1 || (info->exit_status >= 64 && info->exit_status <= 78));
        size_t length = strlen(info->sentence);
        EXPECT(length > 10 && info->sentence[length - 1] == '.');
        EXPECT(strlen(info->causes) > 10 && strlen(info->remedy) > 10);
        for (int b = DN_E_NONE + 1; b < a; b++) {
            EXPECT(dn_error_get((dn_error)b)->number != info->number);
        }
    }
    EXPECT_TEXT(dn_error_get((dn_error)9999)->name, "INTERNAL");
}

static int line_of_failure;

static dn_status refuse(int n) {
    line_of_failure = __LINE__ + 1;
    return DN_FAIL(CONFIG, "%d is %s", n, "too much");
}

CASE(a_failure_is_recorded_where_it_is_decided) {
    EXPECT_INT(refuse(7), DN_FATAL);
    const dn_failure *failure = dn_failure_last();
    EXPECT_INT(failure->error, DN_E_CONFIG);
    EXPECT_TEXT(failure->text, "7 is too much");
    EXPECT_INT(failure->line, line_of_failure);
    EXPECT(strstr(failure->file, "base_status.c") != NULL);
    EXPECT_INT(DN_FAIL_AS(DN_RETRY, BROKER, "away"), DN_RETRY);
    EXPECT_INT(dn_failure_last()->error, DN_E_BROKER);
}

static dn_status forward(dn_status status, bool *reached) {
    DN_TRY(status);
    *reached = true;
    return DN_OK;
}

CASE(try_forwards_all_but_ok) {
    for (dn_status status = DN_OK; status <= DN_FATAL; status++) {
        bool reached = false;
        EXPECT_INT(forward(status, &reached), status);
        EXPECT_INT(reached, status == DN_OK);
    }
}

CASE(a_long_text_is_cut_not_overrun) {
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    EXPECT_INT(DN_FAIL(IO, "%s", text), DN_FATAL);
    EXPECT_INT(strlen(dn_failure_last()->text), DN_FAILURE_TEXT - 1);
}

static void *fail_elsewhere(void *arg) {
    bool clean = dn_failure_last()->error == DN_E_NONE;
    DN_FAIL(NO_SPACE, "elsewhere");
    *(dn_failure *)arg = *dn_failure_last();
    return (void *)(intptr_t)clean;
}

CASE(failures_belong_to_a_thread_and_can_be_carried) {
    DN_FAIL(IO, "here");
    dn_failure carried;
    pthread_t thread;
    void *clean;
    pthread_create(&thread, NULL, fail_elsewhere, &carried);
    pthread_join(thread, &clean);
    EXPECT(clean != NULL);
    EXPECT_TEXT(dn_failure_last()->text, "here");
    dn_failure_set(&carried);
    EXPECT_TEXT(dn_failure_last()->text, "elsewhere");
    EXPECT_INT(dn_failure_last()->error, DN_E_NO_SPACE);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
