#define _GNU_SOURCE
#include "guests.h"
#include "numcheck_kernel.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static int copy_name(char *to, const char *name) {
  size_t length = strlen(name);
  if (length >= NC_WIRE_NAME) return 0;
  memcpy(to, name, length + 1);
  return 1;
}

void nc_wire_clear(nc_wire_call *call, const char *operation) {
  memset(call, 0, sizeof *call);
  copy_name(call->operation, operation);
}

int nc_wire_add_array(nc_wire_call *call, int is_result, const char *name, int64_t dtype, int64_t rank, int64_t offset,
                      const int64_t *shape, const int64_t *strides) {
  int64_t index = call->input_count + call->result_count;
  // Inputs come first.
  if (index >= NC_WIRE_ARRAYS || rank < 0 || rank > NC_WIRE_AXES || (!is_result && call->result_count > 0)) return 0;
  nc_wire_array *array = &call->arrays[index];
  if (!copy_name(array->name, name)) return 0;
  array->dtype = dtype;
  array->rank = rank;
  array->offset = offset;
  for (int64_t k = 0; k < rank; k++) {
    array->shape[k] = shape[k];
    array->strides[k] = strides[k];
  }
  if (is_result) call->result_count++;
  else call->input_count++;
  return 1;
}

int nc_wire_add_parameter(nc_wire_call *call, const char *name, double value) {
  int64_t index = call->parameter_count;
  if (index >= NC_WIRE_PARAMETERS || !copy_name(call->parameters[index].name, name)) return 0;
  call->parameters[index].value = value;
  call->parameter_count++;
  return 1;
}

int nc_wire_add_guard(nc_wire_call *call, int64_t offset, int64_t length) {
  int64_t index = call->guard_count;
  if (index >= NC_WIRE_GUARDS) return 0;
  call->guards[index].offset = offset;
  call->guards[index].length = length;
  call->guard_count++;
  return 1;
}

static int transfer(int is_write, int descriptor, void *bytes, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t n = is_write ? write(descriptor, (char *)bytes + done, length - done)
                         : read(descriptor, (char *)bytes + done, length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    done += (size_t)n;
  }
  return 1;
}

static int answer(int32_t state, int32_t code) {
  nc_wire_answer it = {state, code, 0};
  return transfer(1, NC_WIRE_CHANNEL, &it, sizeof it);
}

static char *base;
static size_t mapped;

// Looks at the memory, `length` bytes of it; from another address where that is asked for or the length is another.
static int look(size_t length, int is_fresh) {
  if (base && length == mapped && !is_fresh) return mprotect(base, mapped, PROT_READ | PROT_WRITE) == 0;
  void *next = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, NC_WIRE_MEMORY, 0);
  // Not before: the new one would get the old one's address.
  if (base) munmap(base, mapped);
  base = next == MAP_FAILED ? NULL : next;
  mapped = length;
  return base != NULL;
}

// A page that nobody may touch was: where, before the process ends as it would have.
static void touched(int number, siginfo_t *information, void *context) {
  (void)context;
  char *place = information->si_addr;
  if (base && place >= base && place < base + mapped) {
    nc_wire_answer it = {NC_WIRE_TOUCHED, number, place - base};
    transfer(1, NC_WIRE_CHANNEL, &it, sizeof it);
    _exit(128 + number);
  }
  signal(number, SIG_DFL);
}

static int32_t call_kernel(int (*kernel)(const numcheck_call *)) {
  // A copy: what the kernel writes where it should not must not lead this process astray.
  static nc_wire_call wire;
  memcpy(&wire, base, sizeof wire);
  numcheck_array arrays[NC_WIRE_ARRAYS];
  numcheck_parameter parameters[NC_WIRE_PARAMETERS];
  int64_t count = wire.input_count + wire.result_count;
  for (int64_t k = 0; k < count; k++) {
    nc_wire_array *a = &wire.arrays[k];
    arrays[k] = (numcheck_array){a->name, base + a->offset, (int32_t)a->dtype, (int32_t)a->rank, a->shape, a->strides};
  }
  for (int64_t k = 0; k < wire.parameter_count; k++) {
    parameters[k] = (numcheck_parameter){wire.parameters[k].name, wire.parameters[k].value};
  }
  for (int64_t k = 0; k < wire.guard_count; k++) {
    mprotect(base + wire.guards[k].offset, (size_t)wire.guards[k].length, PROT_NONE);
  }
  numcheck_call call = {
    .abi = NUMCHECK_KERNEL_ABI, .size = sizeof call, .operation = wire.operation,
    .input_count = (int32_t)wire.input_count, .result_count = (int32_t)wire.result_count,
    .parameter_count = (int32_t)wire.parameter_count, .inputs = arrays, .results = arrays + wire.input_count,
    .parameters = parameters};
  return kernel(&call);
}

int nc_serve_library(const char *path) {
#ifdef __linux__
  // Whoever asked is gone: nobody ends a call that hangs.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
  // Faults are for the parent to tell of, not for this process to recover from.
  const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
  for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) signal(faults[k], SIG_DFL);
  struct sigaction action = {.sa_sigaction = touched, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    fprintf(stderr, "%s\n", why ? why : "cannot be loaded");
    answer(NC_WIRE_NO_LIBRARY, 0);
    return 3;
  }
  uint32_t (*abi)(void) = (uint32_t (*)(void))dlsym(library, "numcheck_kernel_abi");
  int (*kernel)(const numcheck_call *) = (int (*)(const numcheck_call *))dlsym(library, "numcheck_kernel");
  if (!abi || !kernel) {
    answer(NC_WIRE_NO_KERNEL, 0);
    return 3;
  }
  uint32_t version = abi();
  if (version != NUMCHECK_KERNEL_ABI) {
    answer(NC_WIRE_OTHER_ABI, (int32_t)version);
    return 3;
  }
  const char *(*name)(void) = (const char *(*)(void))dlsym(library, "numcheck_kernel_name");
  const char *text = name ? name() : NULL;
  char said[NC_WIRE_NAME] = "";
  if (text) snprintf(said, sizeof said, "%s", text);
  if (!answer(NC_WIRE_LOADED, 0) || !transfer(1, NC_WIRE_CHANNEL, said, sizeof said)) return 3;
  nc_wire_request request;
  while (transfer(0, NC_WIRE_CHANNEL, &request, sizeof request)) {
    if (!look((size_t)request.length, request.is_fresh != 0)) {
      answer(NC_WIRE_NO_MEMORY, errno);
      return 3;
    }
    if (!answer(NC_WIRE_RETURNED, call_kernel(kernel))) return 3;
  }
  // Not through the destructors of whatever was loaded.
  fflush(NULL);
  _exit(0);
}
