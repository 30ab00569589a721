#ifndef DN_IO_DECIMAL_H
#define DN_IO_DECIMAL_H
/** Numbers as decimal text. Floats are written as printf's %g writes them, with the fewest digits,
 * six of a float and fifteen of a double at least, that read back as the same number; zeros at the
 * end are left out:
 *
 *    0.25    0.1    1.5e+09    0.0001    1.2345679e-05    -0    123456.79
 *
 * Each returns the length of the text and may write all DN_DECIMAL_MAX bytes of `out`, which has no
 * NUL at its end. Floats are finite.
 *
 * thread  any     errors  none     cost  i64 10 ns; f32 20 ns, 600 ns below 1e-12 and from 1e9 */

#include <stdint.h>

enum { DN_DECIMAL_MAX = 32 };

int dn_decimal_i64(int64_t number, char *out);
int dn_decimal_f32(float number, char *out);
int dn_decimal_f64(double number, char *out);

#endif
