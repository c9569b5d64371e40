/* Preloaded: reads of the file INODE fail with ERROR while the file FLAG is there. A descriptor that has failed with
   ESTALE goes on failing until it is closed, as on NFS. With HANGS they hang for so long, and so do writes. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef HANGS
#define ERROR 0
#endif

static char stale[65536];

static int fails(int descriptor) {
  struct stat facts, flag;
  if (stale[descriptor]) return 1;
  if (fstat(descriptor, &facts) != 0 || facts.st_ino != INODE || stat(FLAG, &flag) != 0) return 0;
  stale[descriptor] = ERROR == ESTALE;
  return 1;
}

ssize_t pread64(int descriptor, void *buffer, size_t size, off64_t offset) {
  static ssize_t (*real)(int, void *, size_t, off64_t);
  if (!real) real = dlsym(RTLD_NEXT, "pread64");
  if (descriptor >= 0 && descriptor < (int)sizeof stale && fails(descriptor)) {
#ifdef HANGS
    while (fails(descriptor)) usleep(10000);
#else
    errno = ERROR;
    return -1;
#endif
  }
  return real(descriptor, buffer, size, offset);
}

#ifdef HANGS
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (!real) real = dlsym(RTLD_NEXT, "writev");
  while (descriptor >= 0 && descriptor < (int)sizeof stale && fails(descriptor)) usleep(10000);
  return real(descriptor, parts, count);
}
#endif

int close(int descriptor) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "close");
  if (descriptor >= 0 && descriptor < (int)sizeof stale) stale[descriptor] = 0;
  return real(descriptor);
}
