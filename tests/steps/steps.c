/* Preloaded: names each step by which the process changes files below certain directories, and kills it at one of them.

   A step is named for its call and the file, and numbered: "fdatasync:out.log 2" is the second of these. Long numbers in
   a file's name are left out. What a call does to a whole directory (fsync) is named for that.

   STEPS_BELOW   the directories, with a colon behind each
   STEPS_RECORD  a file to which the names are appended
   STEPS_DEATH   the name of a step: here it ends
   STEPS_MOMENT  "before" it is done, "amid" (of what is written, half is), or "after"
   STEPS_FULL    the name of a file: there is no room for what is written to it */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MOST 256

enum moment { NONE, BEFORE, AMID, AFTER };

static struct { char name[NAME_MAX + 32]; int count; } seen[MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int is_below(const char *path) {
  const char *end;
  for (const char *at = getenv("STEPS_BELOW"); at && (end = strchr(at, ':')); at = end + 1) {
    size_t length = end - at;
    if (!strncmp(path, at, length) && (path[length] == '/' || !path[length])) return 1;
  }
  return 0;
}

/* The last part of the path, without long numbers. */
static void name_of(char *name, const char *call, const char *path) {
  name += sprintf(name, "%s:", call);
  for (const char *from = strrchr(path, '/') + 1; *from;) {
    size_t digits = strspn(from, "0123456789");
    if (digits > 6) {
      *name++ = 'N';
      from += digits;
    } else {
      *name++ = *from++;
    }
  }
  *name = 0;
}

static int number_of(const char *name) {
  int number = 0;
  pthread_mutex_lock(&lock);
  for (int each = 0; each < MOST; each++) {
    if (!seen[each].name[0]) strcpy(seen[each].name, name);
    if (!strcmp(seen[each].name, name)) {
      number = ++seen[each].count;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
  return number;
}

static void end(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void record(char *name) {
  const char *path = getenv("STEPS_RECORD");
  size_t length = strlen(name);
  if (!path) return;
  int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  name[length] = '\n';
  syscall(SYS_write, file, name, length + 1);
  name[length] = 0;
  syscall(SYS_close, file);
}

/* Whether to die at this step, and when. */
static enum moment step(const char *call, const char *path) {
  char name[PATH_MAX + 64];
  const char *death = getenv("STEPS_DEATH"), *moment = getenv("STEPS_MOMENT");
  if (!is_below(path)) return NONE;
  name_of(name, call, path);
  sprintf(name + strlen(name), " %d", number_of(name));
  record(name);
  if (!death || !moment || strcmp(name, death)) return NONE;
  if (!strcmp(moment, "before")) end();
  return strcmp(moment, "amid") ? AFTER : AMID;
}

static int path_of(int descriptor, char *path) {
  char link[32];
  sprintf(link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0 || path[0] != '/') return 0;
  path[length] = 0;
  char *deleted = strstr(path, " (deleted)");
  if (deleted) *deleted = 0;
  return 1;
}

static int is_whole(const char *path) {
  return path[0] == '/';
}

static int is_there(const char *path) {
  struct stat facts;
  return is_whole(path) && lstat(path, &facts) == 0;
}

/* The whole path of one that is relative to a directory. */
static const char *whole(int directory, const char *path, char *found) {
  if (is_whole(path) || directory == AT_FDCWD || !path_of(directory, found)) return path;
  if (strlen(found) + strlen(path) + 2 > PATH_MAX) return path;
  return strcat(strcat(found, "/"), path);
}

static enum moment step_on(const char *call, int descriptor) {
  char path[PATH_MAX];
  return path_of(descriptor, path) ? step(call, path) : NONE;
}

static int is_full(int descriptor) {
  const char *full = getenv("STEPS_FULL");
  char path[PATH_MAX];
  if (!full || !path_of(descriptor, path) || strcmp(strrchr(path, '/') + 1, full)) return 0;
  errno = ENOSPC;
  return 1;
}

#define REAL(name) \
  static typeof(name) *real; \
  if (!real) real = dlsym(RTLD_NEXT, #name)

/* A call with these arguments; `some` is the same, done by half. */
#define DONE(when, whole, some) \
  ({ \
    int error = errno; \
    enum moment at = (when); \
    typeof(whole) result; \
    errno = error; \
    if (at == AMID) { some; end(); } \
    result = (whole); \
    if (at == AFTER) end(); \
    result; \
  })

ssize_t write(int descriptor, const void *data, size_t size) {
  REAL(write);
  if (is_full(descriptor)) return -1;
  return DONE(step_on("write", descriptor), real(descriptor, data, size), real(descriptor, data, size / 2));
}

#define PWRITE(name) \
  ssize_t name(int descriptor, const void *data, size_t size, off64_t at_byte) { \
    REAL(name); \
    if (is_full(descriptor)) return -1; \
    return DONE(step_on("pwrite", descriptor), real(descriptor, data, size, at_byte), \
                real(descriptor, data, size / 2, at_byte)); \
  }
PWRITE(pwrite)
PWRITE(pwrite64)

static ssize_t half(typeof(writev) *real, int descriptor, const struct iovec *pieces, int count) {
  struct iovec some[IOV_MAX];
  size_t left = 0;
  int taken = 0;
  for (int each = 0; each < count; each++) left += pieces[each].iov_len;
  left /= 2;
  for (; left && taken < count; taken++) {
    some[taken] = pieces[taken];
    if (some[taken].iov_len > left) some[taken].iov_len = left;
    left -= some[taken].iov_len;
  }
  return real(descriptor, some, taken);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
  REAL(writev);
  if (is_full(descriptor)) return -1;
  return DONE(step_on("writev", descriptor), real(descriptor, pieces, count), half(real, descriptor, pieces, count));
}

#define SENDFILE(name) \
  ssize_t name(int to, int from, off64_t *at_byte, size_t size) { \
    REAL(name); \
    return DONE(step_on("sendfile", to), real(to, from, at_byte, size), real(to, from, at_byte, size / 2)); \
  }
SENDFILE(sendfile)
SENDFILE(sendfile64)

#define ON_DESCRIPTOR(name, call, parameters, arguments) \
  int name parameters { \
    REAL(name); \
    return DONE(step_on(call, descriptor), real arguments, ); \
  }
ON_DESCRIPTOR(fsync, "fsync", (int descriptor), (descriptor))
ON_DESCRIPTOR(fdatasync, "fdatasync", (int descriptor), (descriptor))
ON_DESCRIPTOR(ftruncate, "ftruncate", (int descriptor, off64_t size), (descriptor, size))
ON_DESCRIPTOR(ftruncate64, "ftruncate", (int descriptor, off64_t size), (descriptor, size))
ON_DESCRIPTOR(fsetxattr, "fsetxattr", (int descriptor, const char *key, const void *data, size_t size, int flags),
              (descriptor, key, data, size, flags))

/* Named for the path that is new, where there are two. */
#define ON_PATH(name, call, parameters, arguments, is_step) \
  int name parameters { \
    char found[PATH_MAX]; \
    (void) found; \
    REAL(name); \
    return DONE((is_step) ? step(call, path) : NONE, real arguments, ); \
  }
ON_PATH(rename, "rename", (const char *old, const char *path), (old, path), is_whole(path))
ON_PATH(renameat, "rename", (int from, const char *old, int to, const char *path), (from, old, to, path), is_whole(path = whole(to, path, found)))
ON_PATH(link, "link", (const char *old, const char *path), (old, path), is_whole(path))
ON_PATH(linkat, "link", (int from, const char *old, int to, const char *path, int flags), (from, old, to, path, flags),
        is_whole(path))
ON_PATH(unlink, "unlink", (const char *path), (path), is_there(path))
ON_PATH(unlinkat, "unlink", (int directory, const char *path, int flags), (directory, path, flags),
        is_there(path = whole(directory, path, found)))
ON_PATH(mkdirat, "mkdir", (int directory, const char *path, mode_t mode), (directory, path, mode),
        is_whole(path = whole(directory, path, found)) && !is_there(path))
ON_PATH(mkdir, "mkdir", (const char *path, mode_t mode), (path, mode), is_whole(path) && !is_there(path))
ON_PATH(setxattr, "setxattr", (const char *path, const char *key, const void *data, size_t size, int flags),
        (path, key, data, size, flags), is_whole(path))

static enum moment creating(const char *path, int flags) {
  return (flags & O_CREAT) && is_whole(path) && !is_there(path) ? step("create", path) : NONE;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(name); \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(more, mode_t) : 0; \
    va_end(more); \
    return DONE(creating(path, flags), real(path, flags, mode), ); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  int name(int directory, const char *path, int flags, ...) { \
    REAL(name); \
    va_list more; \
    va_start(more, flags); \
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(more, mode_t) : 0; \
    va_end(more); \
    char found[PATH_MAX]; \
    return DONE(creating(whole(directory, path, found), flags), real(directory, path, flags, mode), ); \
  }
OPENAT(openat)
OPENAT(openat64)
