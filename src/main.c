#include "cmd/cmd.h"

int main(int argc, char **argv) {
    return dn_cmd_main(argc, argv);
}
