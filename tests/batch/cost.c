#include "batch/cost.h"
#include "test.h"

static dn_cost_load load_of(int rows, int length) {
    return (dn_cost_load){(int64_t)rows * length, (int64_t)rows * length * length};
}

/* The machine that the fit has to find. */
static int64_t truth(dn_cost_load load) {
    return 20000 + 150 * load.tokens + 2 * load.squares;
}

static double relative_error(const dn_cost *cost, dn_cost_load load) {
    return fabs((double)dn_cost_predict(cost, load) / (double)truth(load) - 1);
}

CASE(knows_nothing_at_first) {
    dn_cost cost = {0};
    EXPECT_INT(dn_cost_predict(&cost, load_of(10, 30)), 0);
}

CASE(one_batch_predicts_itself) {
    dn_cost cost = {0};
    dn_cost_observe(&cost, load_of(16, 30), truth(load_of(16, 30)));
    EXPECT(relative_error(&cost, load_of(16, 30)) < 0.01);
}

CASE(finds_the_formula_through_noise) {
    dn_cost cost = {0};
    for (int i = 0; i < 400; i++) {
        dn_cost_load load = load_of(1 + (int)(dn_random() % 40), 4 + (int)(dn_random() % 120));
        double noise = 0.9 + 0.2 * (double)(dn_random() % 1000) / 1000;
        dn_cost_observe(&cost, load, (int64_t)((double)truth(load) * noise));
    }
    EXPECT(relative_error(&cost, load_of(20, 25)) < 0.10);
    EXPECT(relative_error(&cost, load_of(4, 128)) < 0.10);
    EXPECT(relative_error(&cost, load_of(40, 100)) < 0.10);
}

CASE(follows_a_machine_that_becomes_slower) {
    dn_cost cost = {0};
    for (int i = 0; i < 300; i++) {
        dn_cost_load load = load_of(1 + (int)(dn_random() % 40), 4 + (int)(dn_random() % 60));
        dn_cost_observe(&cost, load, truth(load) / (i < 100 ? 3 : 1));
    }
    EXPECT(relative_error(&cost, load_of(20, 30)) < 0.10);
}

CASE(equal_batches_never_give_a_negative_price) {
    dn_cost cost = {0};
    for (int i = 0; i < 500; i++) {
        int64_t noise = (int64_t)(dn_random() % 200000);
        dn_cost_observe(&cost, load_of(17, 30), 1000000 + noise);
        for (int term = 0; term < DN_COST_TERMS; term++) {
            EXPECT(cost.weight[term] >= 0);
        }
    }
    EXPECT(dn_cost_predict(&cost, load_of(1, 4)) >= 0);
    EXPECT(dn_cost_predict(&cost, load_of(17, 30)) > 900000 &&
           dn_cost_predict(&cost, load_of(17, 30)) < 1300000);
}

CASE(reads_a_batch) {
    const int32_t token[] = {1, 2, 3, 4, 5}, row_start[] = {0, 2, 5};
    dn_batch batch = {2, 5, token, row_start};
    dn_cost_load load = dn_cost_load_of(&batch);
    EXPECT_INT(load.tokens, 5);
    EXPECT_INT(load.squares, 13);
}

int main(int argc, char **argv) {
    return dn_test_main(argc, argv);
}
