/* x86-64 switches in a dozen instructions; elsewhere ucontext does, with two system calls a switch.
 */
#include "emulate/fiber.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace emulate {

enum { STACK_BYTES = 256 * 1024 };

static fiber *running;
static fiber home; /* the thread that enters; its stack is the system's */

/* AddressSanitizer is told which stack is left and which is entered. */
#if defined(__SANITIZE_ADDRESS__)
static const void *home_stack;
static size_t home_bytes;
static void before_switch(void **keep, const fiber *to) {
    __sanitizer_start_switch_fiber(keep, to == &home ? home_stack : to->stack,
                                   to == &home ? home_bytes : to->bytes);
}
static void after_switch(void *kept) {
    const void *stack;
    size_t bytes;
    __sanitizer_finish_switch_fiber(kept, &stack, &bytes);
    if (running) {
        home_stack = stack, home_bytes = bytes;
    }
}
#else
static void before_switch(void **, const fiber *) {
}
static void after_switch(void *) {
}
#endif

#if defined(__x86_64__)
extern "C" void dn_emulate_switch(void **save, void *to);
/* System V: rbx, rbp, r12 to r15 and the stack pointer are the callee's to keep. */
asm(".text\n"
    ".globl dn_emulate_switch\n"
    ".type dn_emulate_switch, @function\n"
    "dn_emulate_switch:\n"
    "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
    "    ret\n"
    ".size dn_emulate_switch, .-dn_emulate_switch\n");

static void switch_from_to(fiber *from, fiber *to) {
    dn_emulate_switch(&from->context, to->context);
}
static void prepare(fiber *f, void (*entry)(void)) {
    enum { SAVED_REGISTERS = 6 };
    uintptr_t top = ((uintptr_t)f->stack + f->bytes) & ~(uintptr_t)15;
    void **at = (void **)top;
    *--at = NULL; /* where entry would return to; it never does */
    *--at = (void *)entry;
    at -= SAVED_REGISTERS;
    for (int i = 0; i < SAVED_REGISTERS; i++) {
        at[i] = NULL;
    }
    f->context = at;
}
#else
static ucontext_t *context_of(fiber *f) {
    if (!f->context) {
        f->context = calloc(1, sizeof(ucontext_t));
    }
    return static_cast<ucontext_t *>(f->context);
}
static void switch_from_to(fiber *from, fiber *to) {
    swapcontext(context_of(from), context_of(to));
}
static void prepare(fiber *f, void (*entry)(void)) {
    ucontext_t *context = context_of(f);
    getcontext(context);
    context->uc_stack.ss_sp = f->stack;
    context->uc_stack.ss_size = f->bytes;
    context->uc_link = NULL;
    makecontext(context, entry, 0);
}
#endif

static void run_body(void) {
    fiber *self = running;
    after_switch(NULL);
    self->body(self->argument);
    self->done = true;
    before_switch(NULL, &home); /* its frames are gone for good */
    running = NULL;
    switch_from_to(self, &home);
    abort();
}

void fiber_start(fiber *f, void (*body)(void *), void *argument) {
    if (!f->stack) {
        f->bytes = STACK_BYTES;
        f->stack = aligned_alloc(64, f->bytes);
    }
    f->body = body;
    f->argument = argument;
    f->done = false;
    prepare(f, run_body);
}

void fiber_enter(fiber *f) {
    void *kept = NULL;
    before_switch(&kept, f);
    running = f;
    switch_from_to(&home, f);
    after_switch(kept);
}

void fiber_leave(void) {
    fiber *self = running;
    void *kept = NULL;
    before_switch(&kept, &home);
    running = NULL;
    switch_from_to(self, &home);
    running = self;
    after_switch(kept);
}

} // namespace emulate
