#ifndef DN_EMULATE_FIBER_H
#define DN_EMULATE_FIBER_H
/** A stack of its own that can be left and entered again; known to AddressSanitizer. */
#include <stddef.h>

namespace emulate {

struct fiber {
    void *stack;
    size_t bytes;
    void *context; /**< where it stands, or the ucontext_t */
    void (*body)(void *);
    void *argument;
    bool done;
};

/** `body` begins at the first enter(). The stack is kept for the next body. */
void fiber_start(fiber *f, void (*body)(void *), void *argument);
/** Runs `f` until it leaves or ends. */
void fiber_enter(fiber *f);
/** Back to whoever entered the running fiber. */
void fiber_leave(void);

} // namespace emulate

#endif
