#include "common/data/batch.h"

namespace antiphon {

void Batch::Clear() {
  partition = 0;
  begin = 0;
  end = 0;
  records = 0;
  rows = 0;
  for (SparseColumn& column : sparse) {
    column.offsets.assign(1, 0);
    column.keys.clear();
    column.weights.clear();
  }
  dense.clear();
  for (std::vector<float>& label : labels) {
    label.clear();
  }
  sample_weight.clear();
  scene.clear();
  user.clear();
  event_time_ms.clear();
  request.clear();
}

}  // namespace antiphon
