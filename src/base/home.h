#ifndef DN_BASE_HOME_H
#define DN_BASE_HOME_H
/** Where Dunlin's own files are: jobs/, models/, scripts/, deploy/, as in the source tree.
 *
 *    DUNLIN_HOME                      where the environment names it
 *    PREFIX/share/dunlin              PREFIX above the program, else above libdunlin
 *    the source tree                  where the program was built in one */

/** The folder. NULL when there is none.     lends  for ever     thread  main first, then any */
const char *dn_home(void);

/** `path` as it is where it is absolute or there; else the one below dn_home, if that is there;
 * else again as it is, so that an error names what the user wrote.     ownership  the caller */
char *dn_home_find(const char *path);

#endif
