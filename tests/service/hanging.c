/* Preloaded: CALL (pread64 or fdatasync) of files whose path contains NAME hangs while the file FLAG is there, as on a
   network filesystem whose server is gone. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void pass(const char *call, int descriptor) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return;
  path[length] = 0;
  if (!strcmp(call, CALL) && strstr(path, NAME)) while (access(FLAG, F_OK) == 0) usleep(10000);
}

ssize_t pread64(int descriptor, void *buffer, size_t size, off64_t offset) {
  static ssize_t (*real)(int, void *, size_t, off64_t);
  if (!real) real = dlsym(RTLD_NEXT, "pread64");
  pass("pread64", descriptor);
  return real(descriptor, buffer, size, offset);
}

int fdatasync(int descriptor) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  pass("fdatasync", descriptor);
  return real(descriptor);
}
