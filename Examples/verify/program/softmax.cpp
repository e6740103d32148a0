// Softmax of the rows of an .npy file of f32, as a program in C++: softmax IN OUT [MISTAKE].
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

struct Array {
  size_t rows = 0, length = 0;
  bool column_major = false;
  std::vector<float> values;
};

// Reads a header of version 1 by its words; 77 says "none of mine" to numcheck.
static Array read(const char *path) {
  std::ifstream file(path, std::ios::binary);
  char head[10];
  file.read(head, sizeof head);
  if (!file || std::memcmp(head, "\x93NUMPY\x01", 7) != 0) std::exit(77);
  std::string text(static_cast<unsigned char>(head[8]) | static_cast<unsigned char>(head[9]) << 8, ' ');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  Array a;
  if (text.find("'<f4'") == std::string::npos) std::exit(77);
  a.column_major = text.find("True") != std::string::npos;
  if (std::sscanf(text.c_str() + text.find('(') + 1, "%zu, %zu", &a.rows, &a.length) != 2) std::exit(77);
  a.values.resize(a.rows * a.length);
  file.read(reinterpret_cast<char *>(a.values.data()), static_cast<std::streamsize>(a.values.size() * 4));
  if (!file) std::exit(2);
  return a;
}

static void write(const char *path, const Array &a) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(a.rows) + ", " +
                     std::to_string(a.length) + "), }";
  text.append((64 - (10 + text.size() + 1) % 64) % 64, ' ').push_back('\n');
  std::ofstream file(path, std::ios::binary);
  const char head[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(text.size()), static_cast<char>(text.size() >> 8)};
  file.write(head, sizeof head).write(text.data(), static_cast<std::streamsize>(text.size()));
  file.write(reinterpret_cast<const char *>(a.values.data()), static_cast<std::streamsize>(a.values.size() * 4));
}

int main(int count, char **arguments) {
  if (count < 3) return 2;
  const std::string mistake = count > 3 ? arguments[3] : "";
  const Array x = read(arguments[1]);
  Array y = x;
  y.column_major = false;
  // The stride that belongs to the other axis.
  const bool swapped = x.column_major && mistake != "swapped-stride";
  std::vector<float> row(x.length);
  for (size_t r = 0; r < x.rows; r++) {
    float top = -std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < x.length; i++) {
      row[i] = x.values[swapped ? i * x.rows + r : r * x.length + i];
      top = std::max(top, row[i]);
    }
    if (mistake == "no-shift") top = 0;
    float sum = 0;
    const size_t end = mistake == "lost-tail" ? x.length / 8 * 8 : x.length;
    for (size_t i = 0; i < end; i++) sum += row[i] = std::exp(row[i] - top);
    for (size_t i = 0; i < x.length; i++) y.values[r * x.length + i] = i < end && mistake != "all-zeros" ? row[i] / sum : 0;
  }
  write(arguments[2], y);
}
